"""How what people write is spoken: a table of texts with the words of the likeliest reading, and what else may be."""

import re
import string
import unicodedata
from itertools import chain, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamhmm.align.topology import build_topology
from streamhmm.errors import TextError
from streamhmm.text import PHONES, SILENCE, Lexicon, Token, pronounce, tokenize
from streamhmm.text.readers.abbreviations import ABBREVIATIONS
from streamhmm.text.readers.amounts import amount
from streamhmm.text.readers.readings import MOST_READINGS
from streamhmm.text.readers.units import UNITS

# Each line: a text = what is spoken for each of its words, most likely, with | between words.
TABLE = """
    # cardinals
    0 = zero
    7 = seven
    13 = thirteen
    42 = forty two
    90 = ninety
    100 = one hundred
    105 = one hundred five
    342 = three hundred forty two
    999 = nine hundred ninety nine
    1,000 = one thousand
    1,234 = one thousand two hundred thirty four
    5280 = five thousand two hundred eighty
    10,001 = ten thousand one
    12345 = twelve thousand three hundred forty five
    1,234,567 = one million two hundred thirty four thousand five hundred sixty seven
    1’000’000 = one million
    7,000,000,000 = seven billion
    2,000,000,000,003 = two trillion three
    1,000,000,000,000,000 = one quadrillion
    007 = zero zero seven
    25 000 people = twenty five | thousand | people
    # signs
    -5 = minus five
    −12 = minus twelve
    +3 = plus three
    ±3 = plus or minus three
    ~5 = about five
    <5 = less than five
    >100 = more than one hundred
    ≤5 = less than or equal to five
    #5 = number five
    § 5 = section | five
    §5 = section five
    №5 = number five
    # ranges
    10-15 = ten to fifteen
    10–15 kg = ten to fifteen | kilograms
    pages 12–15 = pages | twelve to fifteen
    1914–1918 = nineteen fourteen to nineteen eighteen
    1990–95 = nineteen ninety to ninety five
    10 - 15 = ten | to fifteen
    # decimals
    3.14 = three point one four
    0.5 = zero point five
    .5 = point five
    -0.25 = minus zero point two five
    2.0 = two point zero
    1,234.5 = one thousand two hundred thirty four point five
    98.6 = ninety eight point six
    # fractions
    1/2 = one half
    3/4 = three quarters
    2/3 = two thirds
    1/10 = one tenth
    7/8 = seven eighths
    1/100 = one hundredth
    ½ = one half
    ¾ = three quarters
    5½ = five and a half
    2¾ = two and three quarters
    2 1/2 cups = two | and a half | cups
    # ordinals
    1st = first
    2nd = second
    3rd = third
    5th = fifth
    12th = twelfth
    20th = twentieth
    22nd = twenty second
    100th = one hundredth
    103rd = one hundred third
    1,000th = one thousandth
    21ˢᵗ = twenty first
    # years and decades
    1984 = nineteen eighty four
    1066 = ten sixty six
    1900 = nineteen hundred
    1905 = nineteen oh five
    2000 = two thousand
    2005 = two thousand five
    2024 = twenty twenty four
    the 1990s = the | nineteen nineties
    the 1990s’ best = the | nineteen nineties | best
    the 1900s = the | nineteen hundreds
    the ’90s = the | nineties
    the 80s = the | eighties
    class of '05 = class | of | oh five
    mid-1990s = mid nineteen nineties
    in the 2020s = in | the | twenty twenties
    # times
    3:45 = three forty five
    3:05 = three oh five
    12:00 = twelve o'clock
    15:30 = fifteen thirty
    10:30am = ten thirty a m
    10:00 a.m. = ten | a m
    5pm = five p m
    7 p.m. tonight = seven | p m | tonight
    7 PM = seven | p m
    3:45:10 = three forty five ten
    8.30pm = eight thirty p m
    5:00-6:30pm = five to six thirty p m
    9am-5pm = nine a m to five p m
    a ratio of 2:1 = a | ratio | of | two to one
    # dates
    5/11/2020 = may eleventh twenty twenty
    2020-11-05 = november fifth twenty twenty
    25.12.1999 = december twenty fifth nineteen ninety nine
    11/5 = november fifth
    9/11 = nine eleven
    May 5 = may | fifth
    Nov. 5, 2020 = november | fifth | twenty twenty
    Jan. 3rd, 2020 = january | third | twenty twenty
    5 May 2021 = fifth | may | twenty twenty one
    31.12.99 = december thirty first nineteen ninety nine
    nov 5 = november | fifth
    Mon-Fri = monday to friday
    the 4th of July = the | fourth | of | july
    Mon., Sept. 9 = monday | september | ninth
    # money
    $5 = five dollars
    $1 = one dollar
    $5.50 = five dollars and fifty cents
    $0.99 = ninety nine cents
    £3.20 = three pounds twenty
    €100 = one hundred euros
    100€ = one hundred euros
    5 € = five | euros
    ¥500 = five hundred yen
    $1,299 = one thousand two hundred ninety nine dollars
    $3.2M = three point two million dollars
    $1bn = one billion dollars
    $5k = five thousand dollars
    $5 million = five | million dollars
    £2.5 billion deal = two point five | billion pounds | deal
    US$20 = twenty us dollars
    20 USD = twenty | us dollars
    5¢ = five cents
    $10-20 = ten to twenty dollars
    -$5 = minus five dollars
    # percent and degrees
    50% = fifty percent
    3.5% = three point five percent
    10-15% = ten to fifteen percent
    50 % = fifty | percent
    $2.50/kg = two dollars and fifty cents per kilogram
    $20/hour = twenty dollars per hour
    5‰ = five per thousand
    20°C = twenty degrees celsius
    -5°F = minus five degrees fahrenheit
    20 °C = twenty | degrees celsius
    90° = ninety degrees
    1° = one degree
    45°N = forty five degrees north
    # units
    5km = five kilometers
    1km = one kilometer
    10 km = ten | kilometers
    3 kg = three | kilograms
    5 ft = five | feet
    5 in. = five | inches
    60mph = sixty miles per hour
    100km/h = one hundred kilometers per hour
    100 km/h = one hundred | kilometers per hour
    6ft = six feet
    5'10" = five foot ten
    6′2″ = six foot two
    3GB = three gigabytes
    2.4GHz = two point four gigahertz
    500ml = five hundred milliliters
    12V = twelve volts
    60Hz = sixty hertz
    30 m² = thirty | square meters
    5 cm3 = five | cubic centimeters
    10 lbs = ten | pounds
    5-km run = five kilometer | run
    9.58s = nine point five eight seconds
    3/4 lb. = three quarters | pound
    5 hrs = five | hours
    30 sec. = thirty | seconds
    # telephone numbers, versions, addresses of machines
    555-1234 = five five five one two three four
    (555) 123-4567 = five five five | one two three four five six seven
    +1-800-555-0199 = plus one eight zero zero five five five zero one nine nine
    1-800-FLOWERS = one eight hundred flowers
    555.123.4567 = five five five one two three four five six seven
    v2.0 = version two point zero
    1.2.3 = one point two point three
    IP 192.168.0.1 = i p | one nine two dot one six eight dot zero dot one
    # initialisms and mixed signs
    BBC = b b c
    The U.S.A. won = the | u s a | won
    a PhD = a | p h d
    CEOs = c e o's
    CDs = c d's
    NATO = nato
    NASA's = nasa's
    the BBC's plan = the | b b c's | plan
    MP3 = m p three
    A4 = a four
    B2B = b two b
    H2O = h two o
    COVID-19 = covid nineteen
    4K = four k
    3D = three d
    G20 = g twenty
    F-16 = f sixteen
    R2D2 = r two d two
    PS5 = p s five
    221B = two hundred twenty one b
    1080p = ten eighty p
    B-52s = b fifty twos
    747s = seven forty sevens
    AT&T = a t and t
    R&D = r and d
    Q&A = q and a
    THE CAT SAT ON THE MAT = the | cat | sat | on | the | mat
    EIGHT MONTHS OF NIGHTS = eight | months | of | nights
    HE TOLD US ABOUT IT = he | told | us | about | it
    iPhone = iphone
    YouTube = you tube
    McDonald = mcdonald
    # roman numerals
    Henry VIII = henry | the eighth
    Elizabeth II = elizabeth | the second
    Chapter IV = chapter | four
    World War II = world | war | two
    Super Bowl LVIII = super | bowl | fifty eight
    George V = george | the fifth
    I am = i | am
    And I = and | i
    the XIXth century = the | nineteenth | century
    # abbreviations
    Mr. Smith = mister | smith
    Mrs. Smith = missus | smith
    Ms. Smith = ms | smith
    Dr. Jones = doctor | jones
    Rodeo Dr. = rodeo | drive
    Prof. Lee = professor | lee
    St. Peter = saint | peter
    Elm St. = elm | street
    John Smith Jr. = john | smith | junior
    Acme Inc. = acme | incorporated
    Acme Ltd. = acme | limited
    Fifth Ave. = fifth | avenue
    Abbey Rd. = abbey | road
    Mt. Everest = mount | everest
    Ft. Worth = fort | worth
    No. 5 = number | five
    he said no. = he | said | no
    vol. 2, pp. 3-4 = volume | two | pages | three to four
    fig. 7 = figure | seven
    a fig is = a | fig | is
    approx. 20 = approximately | twenty
    cats, dogs, etc. = cats | dogs | et cetera
    cats vs. dogs = cats | versus | dogs
    e.g. cats = e g | cats
    i.e. cats = i e | cats
    est. 1922 = established | nineteen twenty two
    Gov. Brown = governor | brown
    Sen. Brown = senator | brown
    Gen. Lee = general | lee
    Capt. Cook = captain | cook
    Lt. Col. Fox = lieutenant | colonel | fox
    Sgt. Pepper = sergeant | pepper
    Rev. Green = reverend | green
    Dept. of Labor = department | of | labor
    Washington, D.C. is = washington | d c | is
    w/ milk = with | milk
    w/o sugar = without | sugar
    &c = et cetera
    5 in Rome = five | in | rome
    # addresses, handles
    anna.smith@example.com = anna dot smith at example dot com
    info@bbc.co.uk = info at b b c dot co dot u k
    www.example.org/news = w w w dot example dot org slash news
    https://example.com = example dot com
    example.com = example dot com
    user_name@example.com = user underscore name at example dot com
    #hashtag = hashtag hashtag
    #ThrowbackThursday = hashtag throwback thursday
    @handle = at handle
    Node.js = node dot j s
    # areas, rates, sizes, parts, powers of ten
    1,200 sq ft = one thousand two hundred | square | feet
    1,200 sq. ft. here = one thousand two hundred | square | feet | here
    5 cu ft = five | cubic | feet
    3 sq mi = three | square | miles
    dollars per sq. ft. = dollars | per | square | feet
    5 mg/mL = five | milligrams per milliliter
    5 kg/m³ = five | kilograms per cubic meter
    3 m/s² = three | meters per second squared
    2 x 4 = two | by | four
    3 ft x 4 ft = three | feet | by | four | feet
    the x axis = the | x | axis
    2/3rds = two thirds
    3/4ths = three fourths
    1/10th = one tenth
    100ths of a second = hundredths | of | a | second
    1/32nds = one thirty second
    1000s of people = thousands | of | people
    100s of people = hundreds | of | people
    10s of people = tens | of | people
    10,000s of people = tens of thousands | of | people
    100,000s of people = hundreds of thousands | of | people
    the 1100s = the | eleven hundreds
    # words with an appendix
    9:00 AM–5:00 PM = nine | a m to five | p m
    9 a.m.–5:30 p.m. = nine | a m to five thirty | p m
    M&Ms = m and m's
    M&M's = m and m's
    Ph.D.s = p h d's
    U.S.A.'s = u s a's
    Roe v. Wade = roe | versus | wade
    Roe v Wade = roe | versus | wade
    word(s) = words
    the box(es) = the | boxes
    PC(s) = p c's
    Smith Jr.'s = smith | junior's
    Acme Inc.'s = acme | incorporated's
    Dr.s = doctors
    it is Ed's. = it | is | ed's
    the Penn's = the | penn's
    the wiki/Foo_(bar) = the | wiki foo bar
    k8s = k eights
    # symbols
    C++ = c plus plus
    C# = c sharp
    2+2=4 = two plus two equals four
    3 × 4 = three | times | four
    8 ÷ 2 = eight | divided by | two
    a = b = a | equals | b
    3×4 = three times four
    2 * 3 = two | times three
    x² = x squared
    10^6 = ten to the sixth
    Acme™ © 2020 = acme | twenty twenty
    left → right = left | right
    salt & pepper = salt | and | pepper
    10x = ten x
    4x100m = four by one hundred meters
    3σ = three sigma
    tagged at 5'β sites = tagged | at | five beta | sites
    5′β = five beta
    5'μm = five mu m
    non-'α = non alpha
    the π's = the | pi's
    Ω's = omega's
    β-carotene's = beta carotene's
    kΣ = k sigma
    Δt = delta t
    α-helix = alpha helix
    E=mc² = e equals m c squared
    1.5e-3 = one point five times ten to the minus three
    1920x1080 = nineteen twenty by ten eighty
    18+ = eighteen plus
    # compounds
    rock'n'roll = rock 'n' roll
    24/7 = twenty four seven
    9-to-5 = nine to five
    50/50 = fifty fifty
    1st-class = first class
    20-year-old = twenty year old
    and/or = and or
    $5/month = five dollars per month
    twenty-one = twenty one
    pre-WWII = pre world war two
    3-2 = three to two
    self-driving = self driving
    😀 hi = hi
"""


def lines_of(table):
    lines = [line.strip() for line in table.strip().splitlines()]
    return [tuple(line.rsplit(" = ", 1)) for line in lines if not re.match(r"# [a-z]", line)]


def test_the_table_is_long_enough():
    assert len(dict(lines_of(TABLE))) >= 200


@pytest.mark.parametrize(("text", "expected"), lines_of(TABLE))
def test_the_likeliest_reading(text, expected):
    assert " | ".join(" ".join(token.spoken) for token in tokenize(text)) == expected


# Other readings of the first word that must be there.
ALTERNATIVES = """
    0 = oh
    0 = naught
    42 = four two
    100 = a hundred
    105 = one hundred and five
    105 = one oh five
    105 = a hundred and five
    1,500 = fifteen hundred
    2500 = twenty five hundred
    1984 = one thousand nine hundred eighty four
    1984 = one thousand nine hundred and eighty four
    1984 = one nine eight four
    2005 = two thousand and five
    2005 = twenty oh five
    2010 = two thousand ten
    90210 = nine oh two one oh
    007 = oh oh seven
    007 = double oh seven
    3.14 = three point fourteen
    0.5 = naught point five
    0.5 = oh point five
    0.5 = point five
    -5 = negative five
    -5 = five
    10-15 = ten fifteen
    1990–95 = nineteen ninety ninety five
    1/2 = a half
    1/2 = half
    1/2 = one over two
    3/4 = three fourths
    1/10 = a tenth
    7/10 = seven out of ten
    1/2 = january second
    5½ = five and one half
    100th = hundredth
    103rd = one hundred and third
    12:00 = twelve
    12:00 = noon
    12:00 = midnight
    3:00 = three
    15:30 = three thirty
    3:15 = quarter past three
    3:30 = half past three
    3:45 = quarter to four
    3:45:10 = three hours forty five minutes and ten seconds
    16:9 = sixteen by nine
    5/11/2020 = the fifth of november twenty twenty
    5/11/2020 = five eleven twenty twenty
    2020-11-05 = the fifth of november twenty twenty
    5th = the fifth
    $5 = five dollar
    $1 = a dollar
    $5.50 = five fifty
    $5.50 = five dollars fifty
    £3.20 = three twenty
    $1,234.56 = one thousand two hundred and thirty four dollars and fifty six cents
    $1,234.56 = one thousand two hundred thirty four dollars fifty six cents
    £3.20 = three pounds and twenty pence
    $5k = five k
    US$20 = twenty dollars
    20°C = twenty degrees
    20°C = twenty degrees centigrade
    -5°F = minus five degrees
    60mph = sixty m p h
    100km/h = one hundred kilometers an hour
    6ft = six foot
    5'10" = five ten
    5'10" = five feet ten inches
    12" = twelve inches
    12" = twelve
    3GB = three gigs
    5m = five million
    5m = five meters
    555-0199 = five five five oh one nine nine
    v2.0 = version two point oh
    v2.0 = v two point zero
    1.2.3 = one dot two dot three
    192.168.0.1 = one ninety two dot one sixty eight dot zero dot one
    NATO = n a t o
    UNESCO = unesco
    UNESCO = u n e s c o
    UNIDO = u n i d o
    UNIDO = unido
    VERY = very
    NIGHTS = nights
    Dr. = doctor
    Dr. = drive
    St. = saint
    St. = street
    Inc = incorporated
    Inc = inc
    e.g. = for example
    i.e. = that is
    vs = versus
    www.example.org = example dot org
    https://example.com = h t t p s colon slash slash example dot com
    AT&T = a t t
    H2O = h two o
    MP3s = m p threes
    R101 = r one oh one
    x² = x to the second
    10^6 = ten to the power of six
    9/11 = september eleventh
    3×4 = three by four
    10x = ten times
    &c = etcetera
    ©2020 = copyright twenty twenty
    @handle = handle
    #hashtag = hashtag
    and/or = and slash or
    3/4ths = three quarters
    2/3rds = two over three
    word(s) = word
    M&Ms = m m's
    k8s = k eight s
    978-3-16-148410-0 = nine seven eight three one six one four eight four one zero zero
    978-3-16-148410-0 = nine seven eight three one six one four eight four one oh oh
    12-34-56-78 = one two three four five six seven eight
    12-34-56-78 = twelve thirty four fifty six seventy eight
    XIV = fourteen
"""


@pytest.mark.parametrize(("text", "expected"), lines_of(ALTERNATIVES))
def test_another_reading(text, expected):
    assert tuple(expected.split()) in tokenize(text)[0].readings


# text, index of the word, a reading that it must have because of what stands beside it
BESIDE = [
    ("May 5", 1, "five"),
    ("May 5", 1, "the fifth"),
    ("5 May", 0, "the fifth"),
    ("5 May", 0, "five"),
    ("5 May", 1, "of may"),
    ("5 in", 1, "in"),
    ("5 in", 1, "inches"),
    ("5 m", 1, "meters"),
    ("5 m", 1, "million"),
    ("$5 million", 1, "million dollar"),
    ("$5 million", 1, "million"),
    ("10 - 15", 1, "fifteen"),
    ("10 - 15", 1, "minus fifteen"),
    ("Henry VIII", 1, "eight"),
    ("Chapter IV", 1, "the fourth"),
    ("Malcolm X", 1, "x"),
    ("Elizabeth I", 1, "the first"),
    ("Elizabeth I", 1, "i"),
    ("an IV drip", 1, "i v"),
    ("1 000", 0, "one thousand"),
    ("he said no. 5 of them", 2, "no"),
    ("© 2020", 0, "copyright twenty twenty"),
    ("left → right", 1, "arrow right"),
    ("12:30 am", 1, "a m"),
    ("2 1/2", 1, "and one half"),
    ("9:00 AM–5:00 PM", 1, "a m to five o'clock"),
    ("Roe v. Wade", 1, "v"),
    ("2 x 4", 1, "times"),
    ("2 x 4", 1, "x"),
    ("Acme Inc.'s", 1, "inc's"),
    ("3 sq ft", 2, "foot"),
]


@pytest.mark.parametrize(("text", "index", "expected"), BESIDE)
def test_what_stands_beside_a_word(text, index, expected):
    assert tuple(expected.split()) in tokenize(text)[index].readings


@pytest.mark.parametrize(
    ("text", "index", "unwanted"),
    [
        ("I live in Rome", 2, "inches"),
        ("Room 5. In Rome", 2, "inches"),
        ("And I", 1, "the first"),
        ("it may be", 1, "of may"),
        ("I had no cats", 2, "number"),
        ("THEN NO I WILL NOT", 1, "number"),
        ("a lot of them", 0, "ares"),
        ("THE CAT SAT", 1, "c a t"),
        ("She said WE HAD THIS OLD thing", 5, "o l d"),
        ("Sun and Fig", 0, "sunday"),
        ("I am here", 1, "a m"),
        ("5 - five", 1, "to five"),
        ("This ends. 10 - cats", 3, "minus cats"),
    ],
)
def test_what_does_not_stand_beside_a_word(text, index, unwanted):
    tokens = tokenize(text)
    assert index >= len(tokens) or tuple(unwanted.split()) not in tokens[index].readings


def test_an_amount_is_checked():
    with pytest.raises(ValueError, match="text must match AMOUNT, got '5-'"):
        amount("5-")


# Labels.

LABELS = [
    ("He paid $5.50, (about £4) for 3.5% of it!", ["He", "paid", "$5.50", "about", "£4", "for", "3.5%", "of", "it"]),
    ("At -5°F or 20 °C.", ["At", "-5°F", "or", "20", "°C"]),
    ("(555) 123-4567; (555)123-4567", ["555", "123-4567", "(555)123-4567"]),
    ("He is 5'10\" or 6′2″ tall", ["He", "is", "5'10\"", "or", "6′2″", "tall"]),
    ('"I am 12" he said', ["I", "am", "12", "he", "said"]),
    ("#hashtag @handle, C++ & C#.", ["#hashtag", "@handle", "C++", "&", "C#"]),
    ("w/ milk, w/o, etc.", ["w/", "milk", "w/o", "etc"]),
    ("Dr. Smith vs. the U.S.A.", ["Dr", "Smith", "vs", "the", "U.S.A."]),
    ("<https://example.com/a?b=c>, www.a.org.", ["https://example.com/a?b=c", "www.a.org"]),
    ("~5 ±3 §5 .5 -.5 – 5", ["~5", "±3", "§5", ".5", "-.5", "5"]),
    ("- one\n* two\n→ three * 4", ["one", "two", "three", "4"]),
    ("the ’90s’ ‘1990s’", ["the", "’90s’", "1990s"]),
    ("10-15, 1990–95. ½ 5½", ["10-15", "1990–95", "½", "5½"]),
    ("3:45, 10:30am; 2:1", ["3:45", "10:30am", "2:1"]),
    ("The word(s) (of the box(es)) (or not).", ["The", "word(s)", "of", "the", "box(es)", "or", "not"]),
    ("10\u202f000 and 1\u00a0000\u00a0000", ["10\u202f000", "and", "1\u00a0000\u00a0000"]),
]


@pytest.mark.parametrize(("text", "labels"), LABELS)
def test_labels_are_the_users_own_spelling(text, labels):
    assert [token.label for token in tokenize(text)] == labels


def test_labels_of_a_list_are_kept_and_may_hold_spaces():
    words = ["“On", "May", "5,", "2020", "(555) 123-4567", " $5 million. ", "10 km", "Henry", "VIII"]
    tokens = tokenize(words)
    assert [token.label for token in tokens] == words
    assert [" ".join(token.spoken) for token in tokens] == [
        "on",
        "may",
        "fifth",
        "twenty twenty",
        "five five five one two three four five six seven",
        "five million dollars",
        "ten kilometers",
        "henry",
        "the eighth",
    ]


# What holds for any text.


def is_spoken(word):
    letters = word.replace("'", "")
    return letters != "" and all(
        char in string.ascii_lowercase
        or (unicodedata.category(char)[0] in "LM" and char == char.lower() and not char.isascii())
        for char in letters
    )


PIECES = st.sampled_from(
    [*"0123456789", *".,:;-–/'’′\"()$£€%°+&@#<>=×½²", *" \n", *"aBcIVXkm", *"αβμπΩΣς", "th", "'s", "May", "St", "www."]
)
ANY_TEXT = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map("".join))


@given(ANY_TEXT)
def test_any_text_is_read_or_refused(text):
    try:
        tokens = tokenize(text)
    except TextError:
        return
    for label, readings, _ in tokens:
        assert label
        assert 1 <= len(readings) <= MOST_READINGS
        assert len(set(readings)) == len(readings)
        for reading in readings:
            assert reading
            assert all(map(is_spoken, reading)), reading


@given(st.text(alphabet=string.digits, min_size=1, max_size=15).map(int))
def test_a_cardinal_says_its_number(number):
    assert value_of(tokenize(f"{number:,}")[0].spoken) == number


def value_of(words):
    """The number that is said, worked out the other way round."""
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    values = {word: value for value, word in enumerate(f"{small} seventeen eighteen nineteen".split())}
    values |= {word: 10 * value for value, word in enumerate(tens.split(), 2)}
    scales = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
    total = group = 0
    for word in words:
        if word in scales:
            total, group = total + group * scales[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += values[word]
    return total + group


def test_ten_thousand_words_are_those_of_their_parts():
    text = "On May 5, 2020 Dr. Smith paid $3.50 for 10 km of rope — and the BBC's plan, at 3:45 p.m., was all right. "
    often = tokenize(text * 450)
    assert len(often) > 10_000
    assert often == tokenize(text) * 450


# With the lexicon.


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon()


@pytest.mark.parametrize("text", [text for text, _ in lines_of(TABLE)])
def test_every_text_can_be_pronounced(lexicon, text):
    tokens = tokenize(text)
    script = pronounce(tokens, lexicon)
    assert [word.label for word in script.words] == [token.label for token in tokens]
    for word in script.words:
        assert all(part and all(part) for reading in word.readings for part in reading)
    assert script.unknown == ()


@given(ANY_TEXT)
def test_any_text_is_pronounced_or_refused(lexicon, text):
    try:
        script = pronounce(tokenize(text), lexicon)
    except TextError:
        return
    for word in script.words:
        assert word.readings
        assert all(part and all(part) for reading in word.readings for part in reading)


@pytest.mark.parametrize("symbol", sorted(UNITS.keys() - {"'", '"'}))
def test_units_are_said_in_known_words(lexicon, symbol):
    for count in (1, 5):
        assert pronounce(tokenize([f"{count}{symbol}", str(count), symbol]), lexicon).unknown == ()


@pytest.mark.parametrize("short", ABBREVIATIONS)
def test_abbreviations_are_said_in_known_words(lexicon, short):
    tokens = tokenize(f"{short.capitalize()}. 5")
    for reading in tokens[0].readings:
        assert pronounce([Token("a word", (reading,))], lexicon).unknown == ()


def readings_of(text, lexicon):
    """How the first word may be pronounced, the first pronunciation of each part."""
    return [
        " ".join(chain.from_iterable(part[0] for part in reading))
        for reading in pronounce(tokenize(text), lexicon).words[0].readings
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BBC", ["B IY B IY S IY"]),
        ("US", ["AH S"]),  # with the letters as its second pronunciation
        ("St. Peter", ["S T R IY T"]),
        ("Jan. 5", ["JH AE N", "JH AE N Y UW EH R IY"]),
        ("vs. them", ["V IY EH S", "V ER S AH S"]),
        ("e.g. them", ["IY G IY", "IY JH IY", "F AO R IH G Z AE M P AH L"]),
        ("X-ray", ["EH K S R EY"]),
        ("iPhone", ["AY F OW N"]),
        ("LinkedIn", ["L IH NG K T IH N"]),
        ("NBA", ["EH N B IY EY"]),
        ("NIGHTS", ["N AY T S", "EH N AY JH IY EY CH T IY EH S"]),
        ("UNHCR", ["Y UW EH N EY CH S IY AA R"]),
        ("5GHz", ["F AY V G IH G AH HH ER T S"]),
    ],
)
def test_readings_and_entries_of_the_lexicon(lexicon, text, expected):
    assert readings_of(text, lexicon) == expected


def test_a_reading_in_known_words_spares_the_guess(lexicon):
    assert pronounce(tokenize("LinkedIn UNIDO frobnik"), lexicon).unknown == ("frobnik",)


# What the readings cost, and that those which people use are among those that are listened for.

COLUMNS = {label: column for column, label in enumerate((*PHONES, SILENCE))}


def states_of(text, lexicon):
    """Of all words of a text, without the silence before them."""
    return len(build_topology(pronounce(tokenize(text), lexicon).words, COLUMNS).phone_of_state)


@pytest.mark.parametrize(
    ("text", "most_states"),
    [
        ("1984", 450),
        ("105", 250),
        ("3:45pm", 350),
        ("$5.50", 600),
        ("$1,234.56", 550),
        ("$1,234,567.89", 600),
        ("5/11/2020", 600),
        ("+1-800-555-0199", 700),
        ("978-3-16-148410-0", 600),
        ("user_name@example.com", 300),
        ("https://www.example.com/a/b?c=d", 600),
        ("https://docs.python.org/3/library/re.html#re.compile", 600),
    ],
)
def test_the_graph_of_a_word_is_small(lexicon, text, most_states):
    assert states_of(text, lexicon) <= most_states


def heard(text, lexicon):
    """All that the first word may sound like."""
    readings = pronounce(tokenize(text), lexicon).words[0].readings
    return {tuple(chain.from_iterable(parts)) for reading in readings for parts in product(*reading)}


SELDOM_HEARD = {
    ("5/11/2020", "the fifth of november twenty twenty"),  # a fourth way to say that date
    ("NATO", "n a t o"),  # the lexicon knows better
    ("AT&T", "a t t"),
}


@pytest.mark.parametrize(("text", "said"), sorted({*lines_of(ALTERNATIVES)} - SELDOM_HEARD))
def test_the_other_readings_are_listened_for(lexicon, text, said):
    spoken = pronounce([Token("as said", (tuple(said.split()),))], lexicon).words[0].readings[0]
    assert tuple(chain.from_iterable(part[0] for part in spoken)) in heard(text, lexicon)
