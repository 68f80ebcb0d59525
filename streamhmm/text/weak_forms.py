"""How function words sound without stress, where CMUdict has the full form only.

The forms are those of Wells, *Longman Pronunciation Dictionary* (3rd edition, 2008), and of the table of weak forms in
Cruttenden, *Gimson's Pronunciation of English* (8th edition, 2014), in American phones; a syllabic consonant is AH and
the consonant, as in CMUdict. What is written as a contraction ("he's", "they'd", "I've") is not a form of the full word
here: a lone Z, D or V fits the edge of a neighbouring word too easily.
"""

from __future__ import annotations

from streamhmm.text.phones import Pronunciation

_TABLE = """
    and: AH N, N; or: ER; nor: N ER; as: AH Z; than: DH AH N; that: DH AH T; that's: DH AH T S; just: JH AH S, JH IH S
    a: AH; an: AH N; the: DH AH; some: S AH M; of: AH V, AH; to: T AH; at: AH T; for: F ER; from: F R AH M
    he: IY; him: IH M, AH M; his: IH Z; her: ER, HH ER; them: DH AH M, AH M; you: Y AH; your: Y ER
    their: DH ER; there: DH ER; they're: DH ER; you're: Y ER; you'll: Y AH L; i'll: AA L
    am: AH M; are: ER; was: W AH Z; were: W ER; be: B IH; been: B IH N; do: D AH; does: D AH Z
    has: HH AH Z, AH Z; have: HH AH V, AH V; had: HH AH D, AH D; can: K AH N; must: M AH S
    could: K AH D; should: SH AH D; would: W AH D, AH D; will: W AH L, AH L; shall: SH AH L
"""

WEAK_FORMS: dict[str, tuple[Pronunciation, ...]] = {
    word: tuple(tuple(form.split()) for form in forms.split(","))
    for word, _, forms in (entry.strip().partition(":") for entry in _TABLE.replace("\n", ";").split(";"))
    if word
}
"""For each word its weak forms, the common ones of which CMUdict may have too."""
