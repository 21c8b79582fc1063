"""Encodings, line ends, quotes, separators, huge cells, wrong names."""

_MIB = 1 << 20

_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252", "cp500", "utf-7")

_ENDINGS = (
    ".csv",
    ".sdf",
    ".xlsx",
    ".parquet",
    ".smi",
    ".mol2",
    ".jsonl",
    ".pdf",
    ".gz",
    ".zip",
    "",
)


def encoding_changed(rng, made):
    try:
        text = made.content.decode()
        made.content = text.encode(rng.choice(_ENCODINGS), errors="replace")
    except UnicodeDecodeError:
        made.content = made.content.decode("latin-1").encode("utf-16")


def foreign_letters(rng, made):
    word = rng.choice(("Äthanol µ", "日本語", "é"))
    coded = word.encode(rng.choice(("utf-8", "cp1252", "shift-jis", "utf-16-le")), errors="replace")
    for _ in range(rng.choice((1, 20))):
        at = rng.randrange(len(made.content) + 1)
        made.content = made.content[:at] + coded + made.content[at:]


def line_ends_changed(rng, made):
    ends = rng.choice(
        (
            (b"\r",),
            (b"\r\n",),
            (b"\r", b"\n", b"\r\n", b"\n\n"),
            (b"\x0b", b"\n"),
            (b"\xe2\x80\xa8",),
        )
    )
    made.content = b"".join(line + rng.choice(ends) for line in made.content.split(b"\n"))


def quotes_broken(rng, made):
    data = made.content
    for _ in range(rng.choice((1, 1, 5))):
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice((b'"', b"'", b',"', b'\n"', b'""')) + data[at:]
    made.content = data


def lines_shuffled(rng, made):
    lines = made.content.split(b"\n")
    rng.shuffle(lines)
    made.content = b"\n".join(lines)


def lines_lost(rng, made):
    lines = made.content.split(b"\n")
    made.content = b"\n".join(line for line in lines if rng.random() < 0.8)


def no_first_line(rng, made):
    made.content = made.content.partition(b"\n")[2]


def one_line_only(rng, made):
    made.content = made.content.partition(b"\n")[0]


def blank_and_comment_lines(rng, made):
    lines = made.content.split(b"\n")
    for _ in range(5):
        at = 0 if rng.random() < 0.5 else rng.randrange(len(lines) + 1)
        lines.insert(at, rng.choice((b"", b"   ", b"# a comment, with commas", b",,,,", b"\t")))
    made.content = b"\n".join(lines)


def trailing_separators(rng, made):
    made.content = made.content.replace(b"\n", rng.choice((b",", b";", b"\t", b",,,,")) + b"\n")


def blanks_everywhere(rng, made):
    made.content = made.content.replace(b",", b"  , ").replace(b"\n", b"  \n  ")


def separators_changed(rng, made):
    old, new = rng.sample((b",", b";", b"\t", b"|", b" ", b"."), 2)
    half = len(made.content) // rng.choice((1, 2))
    made.content = made.content[:half].replace(old, new) + made.content[half:]


def a_huge_cell(rng, made):
    size = rng.choice((70_000, 300_000, 5 * _MIB))
    at = rng.randrange(len(made.content) + 1)
    made.content = (
        made.content[:at] + rng.choice((b"C", b"(", b"1", b" ")) * size + made.content[at:]
    )


def said_wrongly(rng, made):
    made.options["format"] = rng.choice(
        ("csv", "tsv", "excel", "parquet", "smiles", "sdf", "mol2", "jsonl")
    )
    made.options["decimal"] = rng.choice(("auto", "point", "comma"))
    if rng.random() < 0.3:
        made.options["kind"] = rng.choice(("molecule", "table"))
    if rng.random() < 0.2:
        made.options["sheet"] = rng.choice(("Sheet1", "nothing", "x" * 90))


def wrong_ending(rng, made):
    made.name = made.name.rpartition(".")[0] + rng.choice(_ENDINGS)


KINDS = (
    encoding_changed,
    foreign_letters,
    line_ends_changed,
    quotes_broken,
    lines_shuffled,
    lines_lost,
    no_first_line,
    one_line_only,
    blank_and_comment_lines,
    trailing_separators,
    blanks_everywhere,
    separators_changed,
    a_huge_cell,
    said_wrongly,
    wrong_ending,
)
