"""Spelling rules of English: groups of letters, in their surroundings, and the phones they usually stand for."""

from __future__ import annotations

import re

# Each line: a pattern, then its phones. The first that fits counts; a rule is found by the letter it begins with.
# ^ and $ are the ends of the word, (?=…) what follows, (?<=…) what precedes, C a consonant letter, V a vowel
# letter, M a consonant letter before which a final silent e makes the vowel long.
_TABLE = """
    a(?=Me[sd]?$)    EY
    a(?=tion)        EY
    augh             AO
    au               AO
    aw               AO
    ai(?=r)          EH
    ai               EY
    ay               EY
    a(?=ll)          AO
    alk              AO K
    ar(?=V)          EH R
    ar               AA R
    (?<=w)a(?=[nst]) AA
    a$               AH
    a                AE
    bb               B
    (?<=m)b$
    b                B
    chr              K R
    ch               CH
    ck               K
    cc(?=[eiy])      K S
    cc               K
    ci(?=[ao])       SH
    c(?=[eiy])       S
    c                K
    dge              JH
    dd               D
    d                D
    eigh             EY
    eau              OW
    ear(?=C)         ER
    ear              IH R
    eer              IH R
    ea               IY
    ee               IY
    ei               EY
    eu               Y UW
    ew               Y UW
    ey$              IY
    ey               EY
    er(?=V)          EH R
    er               ER
    (?<=[td])ed$     AH D
    (?<=[pkfsxh])ed$ T
    (?<=C)ed$        D
    e(?=Me$)         IY
    (?<=[szxc])es$   AH Z
    (?<=[cs]h)es$    AH Z
    (?<=^C)e$        IY
    e$
    (?<=C)e(?=s$)
    e                EH
    ff               F
    f                F
    ^gn              N
    (?<=V)gn$        N
    gg               G
    ^gh              G
    gh
    gue$             G
    gu(?=[eiy])      G
    g(?=[eiy])       JH
    g                G
    h$
    h                HH
    igh              AY
    i(?=Me[sd]?$)    AY
    ie$              IY
    ies$             IY Z
    ie               IY
    ind$             AY N D
    ir(?=V)          AY R
    ir               ER
    i(?=V)           IY
    i$               IY
    i                IH
    j                JH
    ^kn              N
    kh               K
    kk               K
    k                K
    (?<=C)le$        AH L
    (?<=C)les$       AH L Z
    ll               L
    l                L
    mm               M
    m                M
    nn               N
    ng(?=ings?$)     NG
    ng(?=[eiy])      N JH
    ng$              NG
    ngs$             NG Z
    ng               NG G
    n(?=[kqx])       NG
    n(?=c[^eiyh])    NG
    n                N
    ought            AO T
    ough             OW
    oo               UW
    oa               OW
    oe$              OW
    oi               OY
    oy               OY
    ous$             AH S
    our              AO R
    ou               AW
    ow$              OW
    ow               AW
    (?<=w)or         ER
    or$              ER
    or               AO R
    o(?=Me[sd]?$)    OW
    o(?=tion)        OW
    old              OW L D
    o$               OW
    o                AA
    ph               F
    ^ps              S
    ^pn              N
    pp               P
    p                P
    que$             K
    qu               K W
    q                K
    ^rh              R
    rr               R
    r                R
    ssion            SH AH N
    (?<=V)sion       ZH AH N
    sion             SH AH N
    sch              SH
    sh               SH
    sc(?=[eiy])      S
    ss               S
    (?<=V)s(?=e$)    Z
    (?<=[bdgjlmnrvwz])s$ Z
    (?<=[bdglmnrv]e)s$ Z
    (?<=[aio])s$     Z
    s                S
    tch              CH
    tion             SH AH N
    tial             SH AH L
    ture$            CH ER
    th               TH
    tt               T
    t                T
    u(?=Me[sd]?$)    UW
    ue$              UW
    ui               UW
    ur               ER
    ^u(?=CV)         Y UW
    u$               UW
    u                AH
    v                V
    wh               W
    ^wr              R
    w                W
    ^x               Z
    x                K S
    ^y               Y
    (?<=^C)y$        AY
    (?<=^CC)y$       AY
    y(?=Me[sd]?$)    AY
    y$               IY
    y(?=V)           Y
    y                IH
    zz               Z
    z                Z
"""

_NAMES = """
    a EY; b B IY; c S IY; d D IY; e IY; f EH F; g JH IY; h EY CH; i AY; j JH EY; k K EY; l EH L; m EH M; n EH N; o OW;
    p P IY; q K Y UW; r AA R; s EH S; t T IY; u Y UW; v V IY; w D AH B AH L Y UW; x EH K S; y W AY; z Z IY;
    0 Z IH R OW; 1 W AH N; 2 T UW; 3 TH R IY; 4 F AO R; 5 F AY V; 6 S IH K S; 7 S EH V AH N; 8 EY T; 9 N AY N
"""

LETTER_NAMES = {name.split()[0]: tuple(name.split()[1:]) for name in _NAMES.split(";")}
"""Phones of the names of letters (lower case) and digits."""


def _compile(table: str) -> dict[str, list[tuple[re.Pattern[str], tuple[str, ...]]]]:
    rules: dict[str, list[tuple[re.Pattern[str], tuple[str, ...]]]] = {}
    for line in table.strip().splitlines():
        pattern, *phones = line.split()
        first = next(char for char in re.sub(r"\(\?<=.*?\)", "", pattern) if char.islower())
        regex = pattern.replace("C", "[^aeiouy]").replace("V", "[aeiouy]").replace("M", "[^aeiouwxy]")
        rules.setdefault(first, []).append((re.compile(regex), tuple(phones)))
    return rules


RULES = _compile(_TABLE)
"""For each letter the rules that begin with it, as (pattern, phones), in the order in which they are tried."""
