"""Specs that are none, that grow, that steer a terminal or look into other files; and results and queries like them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.hostile.cases import MOST_WITHOUT_TORCH, Case

HEAD = "name: hostile\ndata: {source: digits, image_size: 32}\nstudent: {arch: tiny_vit_5m}\n"
ASK = ("validate", "spec.yaml")
SECRET = "hunter2"


def spec(
    name: str, text: str | bytes, *says: str, never: tuple[str, ...] = (), code: int = 2, memory: int | None = None
) -> Case:
    """A file that is refused (unless `code` is 0) at a place: `says` begins with its line and column."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return Case(name, lambda folder: (folder / "spec.yaml").write_bytes(raw), ASK, code, says, never, memory)


def line(name: str, text: str, column: int, *says: str, never: tuple[str, ...] = (), code: int = 2) -> Case:
    """A line below a spec that is whole without it."""
    place = (f"spec.yaml:4:{column}: ",) if code else ()
    return spec(name, f"{HEAD}{text}\n", *place, *says, never=never, code=code)


def far(name: str, base: str, text: str, says: str = "is no spec") -> Case:
    """A spec that extends a file of somebody else; nothing of that file is told."""

    def make(folder: Path) -> None:
        (folder / "specs").mkdir()
        (folder / base).write_text(text)
        (folder / "specs" / "spec.yaml").write_text(f"{HEAD}extends: ../{base}\n")

    return Case(name, make, ("validate", "specs/spec.yaml"), 2, ("spec.yaml:4:10: extends: ", says), (SECRET,))


def linked(folder: Path) -> None:
    (folder / "specs").mkdir()
    (folder / "hosts.yml").write_text(f"github.com: {SECRET}\n")
    (folder / "specs" / "base.yaml").symlink_to(folder / "hosts.yml")
    (folder / "specs" / "spec.yaml").write_text(f"{HEAD}extends: base.yaml\n")


def given(name: str, words: tuple[str, ...], *says: str, code: int = 2) -> Case:
    """A spec that is whole, and words of the command line that are not."""
    return Case(name, _whole, words, code, says)


def _whole(folder: Path) -> None:
    (folder / "spec.yaml").write_text(HEAD)


def bomb(levels: int, link: Callable[[int], str]) -> str:
    return "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} {link(level - 1)}\n" for level in range(1, levels)
    )


GROWING = [
    spec(
        "nine levels of anchors",
        bomb(9, lambda n: f"[{', '.join([f'*a{n}'] * 10)}]"),
        "spec.yaml:5:5: ",
        "aliases make this 111,111 keys and values",
        "yaml_nodes",
        memory=MOST_WITHOUT_TORCH,
    ),
    spec(
        "nine levels of anchors in mappings",
        bomb(9, lambda n: "{" + ", ".join(f"k{k}: *a{n}" for k in range(10)) + "}"),
        "aliases make this",
        memory=MOST_WITHOUT_TORCH,
    ),
    spec(
        "nine levels of merge keys",
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{y{n}: 1, <<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9)),
        "aliases make this",
    ),
    spec(
        "a long text in a hundred thousand aliases",
        f"a: &a {'x' * 9000}\nb: [{'*a, ' * 2000}*a]\n",
        "aliases make this",
    ),
    line("an anchor that holds itself", "arms: &a {b: *a}", 7, "holds itself"),
    line("an anchor that merges itself", "arms: &a {<<: *a}", 7, "holds itself"),
    spec("3,000 brackets", f"{HEAD}seeds: {'[' * 3000}{']' * 3000}\n", "spec.yaml:4:71: ", "64 deep", "yaml_depth"),
    spec("10,000 deep lists", f"{HEAD}seeds:\n {'- ' * 10_000}1\n", "spec.yaml:5:", "64 deep"),
    spec("3,000 deep maps", f"{HEAD}arms: {'{a: ' * 3000}1{'}' * 3000}\n", "spec.yaml:4:", "64 deep"),
    spec("1,000 deep indented maps", "".join(f"{' ' * n}a:\n" for n in range(1000)), "spec.yaml:64:", "64 deep"),
    spec(
        "500 aliases in aliases",
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 500)),
        "spec.yaml:64:",
        "64 deep",
    ),
    spec("400,000 numbers", f"{HEAD}seeds: [{'1,' * 400_000}1]\n", "spec.yaml:4:", "more than 20,000 keys and values"),
    spec(
        "2 MB of text", f"{HEAD}# {'x' * 2_000_000}\n", "spec.yaml:1:1: ", "larger than 1,000,000 bytes", "yaml_bytes"
    ),
    spec(
        "900 kB on one line", f"{HEAD}title: {'x' * 900_000}\n", "spec.yaml:4:8: ", "900,000 characters", never=("xxx",)
    ),
    spec("900 kB of a key", f"{HEAD}{'k' * 900_000}: 1\n", "spec.yaml:4:", never=("k" * 300,)),
    spec(
        "900 kB in a block", f"{HEAD}title: |\n{'  xxxxxxx' * 100_000}\n", "spec.yaml:4:8: ", never=("xxxxxxx  " * 30,)
    ),
    line("10,000 digits", f"seeds: [{'9' * 10_000}]", 9, "is no number", "number_digits", never=("9" * 200,)),
    line("10,000 digits after the point", f"train: {{lr: 0.{'1' * 10_000}}}", 13, code=0),
    line("an exponent of 10,000", "train: {lr: 1e10000}", 13),
    line("nine thousand unknown letters", f"{'z' * 9000}: 1", 9001, never=("z" * 300,)),
    line("nine thousand letters in a choice", f"distill: {{loss: {'z' * 9000}}}", 17, never=("z" * 300,)),
    line("nine thousand letters of a network", f"teacher: {{arch: {'z' * 9000}}}", 17, never=("z" * 300,)),
]
TAGGED = [
    line(
        "a tag that makes an object",
        "title: !!python/object/apply:os.system ['touch pwned']",
        8,
        "the tag",
        "fix: remove the tag",
    ),
    line("a tag that makes a tuple", "seeds: !!python/tuple [1, 2]", 8, "'!!python/tuple' means nothing"),
    line("a tag of a module", "teacher: !!python/name:os.system", 10, "means nothing"),
    line("a tag on a word", "title: !foo bar", 8, "'!foo' means nothing"),
    line("a tag on a mapping", "train: !foo {epochs: 1}", 8, "'!foo' means nothing"),
    line("a tag on a list", "seeds: !foo [1]", 8, "'!foo' means nothing"),
    line("a tag on a key", "!foo title: a", 1, "'!foo' means nothing"),
    line("a set", "seeds: !!set {1, 2}", 8, "'!!set' means nothing"),
    line("an ordered map", "arms: !!omap [a: 1]", 7, "'!!omap' means nothing"),
    line("bytes in base 64", "title: !!binary aGk=", 8, "'!!binary' means nothing"),
    line("a tag of nine thousand letters", f"title: !{'t' * 9000} a", 8, never=("t" * 300,)),
    spec("another version of YAML", f"%YAML 1.1\n---\n{HEAD}", "spec.yaml:1:1: ", "a spec is YAML 1.2"),
    spec("a handle of its own", f"%TAG ! tag:evil,2000:\n---\n!x {HEAD}", "spec.yaml:3:1: ", "means nothing"),
]
SHAPED = [
    line("a date that is none", "title: 2024-13-45", 1, code=0),
    line("a key that is a list", "? [a, b]\n: 1", 3, "a key is a word"),
    line("a key that is a mapping", "? {a: b}\n: 1", 3, "a key is a word"),
    line("a key that is null", "null: 1", 1, "unknown key 'null'"),
    line("a key that is true", "true: 1", 1, "unknown key 'true'"),
    line("a key that is nothing", ": 1", 1, "unknown key ''"),
    spec("a key given twice", f"{HEAD}title: a\ntitle: b\n", "spec.yaml:5:1: ", "given twice"),
    spec("a key of two spellings given twice", f'{HEAD}seeds: [1]\n"seeds": [2]\n', "spec.yaml:5:1: ", "given twice"),
    line("a merge of a word", "train: {<<: fast}", 13, "merges mappings"),
    line("an alias of nothing", "title: *none", 8, "undefined alias"),
    spec("two documents", f"{HEAD}---\n{HEAD}", "spec.yaml:4:1: ", "a second document"),
    spec("nothing at all", "", "spec.yaml:1:1: ", "one YAML mapping"),
    spec("a list", "- a\n- b\n", "spec.yaml:1:1: ", "one YAML mapping"),
    spec("a tab that indents", f"{HEAD}train:\n\tepochs: 1\n", "spec.yaml:5:1: ", "a tab indents"),
    spec("an open bracket", f"{HEAD}seeds: [1, 2\ntitle: a\n", "spec.yaml:4:8: ", "not YAML", "write `[1, 2]`"),
    spec("a name that is a path", HEAD.replace("hostile", "../../up"), "spec.yaml:1:7: name: "),
    spec(
        "an arm that is a path",
        f"{HEAD}arms: {{../up: {{}}, b: {{train.epochs: 1}}}}\n",
        "spec.yaml:4:",
        "no name for an arm",
    ),
]
WRITTEN = [
    spec("UTF-16", HEAD.encode("utf-16"), "spec.yaml:1:1: ", "not UTF-8", "UTF-16"),
    spec("UTF-16 without a mark", HEAD.encode("utf-16-le"), "spec.yaml:1:1: ", "not UTF-8", "UTF-16"),
    spec("Latin-1", f"{HEAD}title: café\n".encode("latin-1"), "spec.yaml:4:11: ", "not UTF-8"),
    spec("a lone half in UTF-8", f"{HEAD}title: a\ud800\n", "spec.yaml:4:9: ", "not UTF-8"),
    spec("random bytes", bytes(range(256)) * 40, "spec.yaml:", "not UTF-8"),
    spec("a byte order mark", f"\ufeff{HEAD}", code=0),
    spec("lines of another system", HEAD.replace("\n", "\r\n"), code=0),
    spec("a NUL", f"{HEAD}title: a\0b\n", "spec.yaml:4:9: ", "U+0000"),
    line("an escaped NUL", r'title: "a\0b"', 8, "U+0000", "not printable"),
    line("an escaped lone half", r'title: "a\ud800"', 8, "U+D800", "not printable"),
    line("an escape that is no character", r'title: "\UFFFFFFFF"', 9, "no character"),
    line("a title that writes the clipboard", r'title: "\e]52;c;aGk=\a"', 8, "U+001B"),
    line("a title with a sign of eight bits", r'title: "\x9b2J"', 8, "U+009B"),
    line("a title that turns around", "title: user\u202etxt.exe", 8, "U+202E"),
    line("a title in an isolate", "title: a\u2066b", 8, "U+2066"),
    line("a title from right to left", "title: \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", 8, code=0),
    line("a key that rings", r'"a\ab": 1', 1, "U+0007"),
    line("an unknown key with a colour", r'"\e[31mred": 1', 1, "U+001B"),
    line("an arm that returns", r'arms: {"a\rb": {}}', 8, "U+000D"),
    line(
        "a claim that clears the screen",
        r'claims: [{id: a, text: "\e[2J", metric: test_top1, arm: hostile, against: hostile, expect: less}]',
        24,
        "U+001B",
    ),
    spec(
        "a class that steers",
        HEAD.replace("source: digits", r'source: folder, root: /x, classes: [a, "\e[31m"]'),
        "spec.yaml:2:",
        "U+001B",
    ),
]
FOREIGN = [
    far("extends the shadow file", "shadow", f"root:{SECRET}:1:0:::::\n"),
    far("extends somebody's tokens", "hosts.yml", f"github.com:\n  oauth_token: {SECRET}\n"),
    far("extends keys that are secret", "keys.yaml", f"{SECRET}: 1\n{SECRET}: 2\n"),
    far("extends what is no YAML", "notes.yaml", f"{SECRET}: [\n"),
    far("extends JSON that is no spec", "config.json", f'{{"{SECRET}": 1}}'),
    Case(
        "extends a link to somebody's tokens",
        linked,
        ("validate", "specs/spec.yaml"),
        2,
        ("spec.yaml:4:10: extends: ", "is no spec"),
        (SECRET,),
    ),
    Case(
        "extends what is not there",
        lambda folder: (folder / "spec.yaml").write_text(f"{HEAD}extends: ../gone.yaml\n"),
        ASK,
        2,
        ("spec.yaml:4:10: extends: ", "there is no file"),
    ),
    Case(
        "extends itself",
        lambda folder: (folder / "spec.yaml").write_text(f"{HEAD}extends: spec.yaml\n"),
        ASK,
        2,
        ("spec.yaml:4:10: ", "extend each other"),
    ),
    Case(
        "extends a device",
        lambda folder: (folder / "spec.yaml").write_text(f"{HEAD}extends: /dev/zero\n"),
        ASK,
        2,
        ("spec.yaml:4:10: ", "there is no file"),
    ),
    Case(
        "is a device", lambda folder: None, ("validate", "/dev/zero"), 2, ("it is a device",), memory=MOST_WITHOUT_TORCH
    ),
    Case("is a folder", lambda folder: (folder / "spec.yaml").mkdir(), ASK, 2, ("Is a directory",)),
]
SAID = [
    given("a --set with a tag", (*ASK, "--set", "title=!!python/name:os.system"), "means nothing"),
    given("a --set that is too deep", (*ASK, "--set", f"seeds={'[' * 3000}"), "64 deep"),
    given("a --set that steers", (*ASK, "--set", 'title="\\e[2J"'), "U+001B"),
    given("a --set with raw escapes", (*ASK, "--set", "title=\x1b[2J"), r"U+001B"),
    given("a --set of an unknown key that steers", (*ASK, "--set", "\x1b]52;c;x\x07=1"), r"\x1b]52;c;x\x07"),
    given("a path that steers", ("validate", "\x1b[2J.yaml"), r"\x1b[2J.yaml"),
    given("an experiment that steers", ("status", "\x1b[2J", "--home", "{folder}"), r"\x1b[2J"),
]
CASES: list[Case] = [*GROWING, *TAGGED, *SHAPED, *WRITTEN, *FOREIGN, *SAID]
