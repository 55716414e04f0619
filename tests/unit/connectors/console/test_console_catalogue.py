"""The catalogues of the page's languages hold every text of the page, what the server says, and nothing else."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.console.store.accounts import Role
from pipeline.core import AlertState, CommandKind, CorrectionKind, Severity
from pipeline.ledger.cameras.command import CameraCommandKind

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "connectors/console/page"
SCRIPTS = sorted(PAGE.glob("*.js"))
CATALOGUES = sorted(PAGE.glob("languages/*.json"))
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
PLACE = re.compile(r"\{(\w+)\}")
FORMS = {"zero", "one", "two", "few", "many", "other"}
"""Plural forms of CLDR, as ``Intl.PluralRules`` names them."""

SPEAKERS = [f"pipeline/{name}" for name in ("alerts", "association", "cli/cameras", "embedding", "ledger")]
"""Folders besides the console's with sentences that the page shows."""

NO_TEXT = re.compile(
    r"English|Deutsch|Passerby|Authorization: .*|Escape|Enter|Backspace|Arrow\w+"
    r"|M\d.*|color-mix.*|.*sans-serif"
    r"|passerby camera groups|all sightings|another person|not this person|the same person"
)
"""What looks like text and is none to translate: names, keys, styles, and the reasons that the ledger keeps."""


def code_of(script: Path) -> str:
    """Return a script without its comments."""
    return re.sub(r"(?m)(^|\s)//.*$", r"\1", script.read_text())


def texts() -> dict[str, str]:
    """Return all texts of the page by the script that has them; of a plural the form for several."""
    found = {}
    for script in SCRIPTS:
        code = code_of(script)
        for text in re.findall(rf"\btx?\(({LITERAL})", code) + re.findall(rf"\btn\({LITERAL}, ({LITERAL})", code):
            found[json.loads(text)] = script.name
    return found


def places(text: str) -> set[str]:
    return set(PLACE.findall(text))


def catalogue(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(), object_pairs_hook=unique)
    return read


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), {name for name in names if names.count(name) > 1}
    return dict(pairs)


def template(node: ast.expr) -> list[str]:
    """Return the texts that an expression may be, with {} at their values; none if it is no text of its own."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            return ["".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in values)]
        case ast.IfExp(body=body, orelse=orelse):
            return template(body) + template(orelse)
    return []


def nodes(*folders: str) -> Iterator[ast.AST]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from ast.walk(ast.parse(path.read_text()))


def said_by_the_server() -> set[str]:
    """Return the errors of the API, the messages of alerts, and the deeds in the audit; {} stands at their values."""
    found: list[str] = []
    for node in nodes("connectors/console"):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "HTTPException":
            found += template(node.args[1])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "audit":
            found += template(node.args[1]) if len(node.args) > 1 else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "audit_look":
            found += [f"{text} {{}}" for text in template(node.args[1])]
    for node in nodes("pipeline/alerts/rules"):
        if isinstance(node, ast.keyword) and node.arg == "message":
            found += template(node.value)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "message":
            found += template(node.value)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "MESSAGES":
            assert isinstance(node.value, ast.Dict)
            found += [text for each in node.value.values for text in template(each)]
    return {blank(text) for text in found}


def blank(text: str) -> str:
    return re.sub(r"\{.*?\}", "{}", text)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_every_text_of_the_page_and_no_other(path: Path) -> None:
    known, used = catalogue(path)["texts"], texts()
    assert {text: script for text, script in used.items() if text not in known} == {}, "not in the catalogue"
    assert set(known) - set(used) == set(), "on no page any more"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_translation_has_the_places_of_its_text(path: Path) -> None:
    read = catalogue(path)
    wrong = []
    for text, translation in [*read["texts"].items(), *read["server"].items(), *read["audit"].items()]:
        forms = translation.values() if isinstance(translation, dict) else [translation]
        # A form for one may leave its number out; what the server says may hold more than a reader needs.
        is_free = isinstance(translation, dict) or text not in read["texts"]
        if not all(
            form.strip() and (places(form) <= places(text) if is_free else places(form) == places(text))
            for form in forms
        ):
            wrong.append(text)
    assert wrong == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_plurals_have_forms_and_other_texts_have_none(path: Path) -> None:
    known = catalogue(path)["texts"]
    plurals = {
        json.loads(many) for script in SCRIPTS for many in re.findall(rf"\btn\({LITERAL}, ({LITERAL})", code_of(script))
    }
    assert {text for text, found in known.items() if isinstance(found, dict)} == plurals
    assert [text for text in plurals if not {"other"} <= set(known[text]) <= FORMS] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_what_the_server_says(path: Path) -> None:
    known = {blank(text) for text in catalogue(path)["server"]}
    assert said_by_the_server() - known == set()


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_nothing_that_the_server_does_not_say(path: Path) -> None:
    said = {
        text for node in nodes("connectors/console", *SPEAKERS) if isinstance(node, ast.expr) for text in template(node)
    }
    said = {blank(text).removeprefix("; warning: ") for text in said} | said_by_the_server()
    said |= {json.loads(text) for script in SCRIPTS for text in re.findall(LITERAL, code_of(script))}
    assert {text for text in catalogue(path)["server"] if blank(text) not in said} == set()


def subjects_of_the_audit() -> set[str]:
    """Return what entries of the audit are about, where that has words; {} stands at the values."""
    found: list[str] = []
    for node in nodes("connectors/console"):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "audit" and len(node.args) > 2:
            found += template(node.args[2])
    for node in nodes("connectors/console/api"):
        if isinstance(node, ast.FunctionDef) and node.name == "_asked":
            found += [text for each in ast.walk(node) if isinstance(each, ast.IfExp) for text in template(each)]
    return {blank(text) for text in found if re.search("[a-z]", blank(text))}


SAID_WITH_TIMES = {"from {}", "until {}", "video of camera {} from {} to {}"}
"""Subjects of the audit with moments in them, which ``audit.js`` says."""


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_what_entries_of_the_audit_are_about(path: Path) -> None:
    known = {blank(text) for text in catalogue(path)["audit"]}
    found = subjects_of_the_audit()
    assert {"number {}", "version {}: {}", "journey of person {}", *SAID_WITH_TIMES} <= found
    assert found - known - SAID_WITH_TIMES == set()


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_a_catalogue_has_every_correction_and_change_of_cameras_of_the_audit(path: Path) -> None:
    deeds = {*CommandKind, *(f"cameras {kind}" for kind in CameraCommandKind)}
    assert deeds | {"{deed} done", "{deed} refused"} <= set(catalogue(path)["audit"])


def test_the_texts_to_translate_stand_in_the_code_as_they_are() -> None:
    others = [
        f"{script.name}: {call}"
        for script in SCRIPTS
        if script.name != "language.js"
        for call in re.findall(r"\bt[nx]?\([^)]{0,30}", code_of(script))
        if not re.match(r'\w+\("', call)
    ]
    assert others == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_text_of_the_page_misses_the_catalogue(script: Path) -> None:
    code = code_of(script)
    code = re.sub(rf"\btn\({LITERAL}, {LITERAL}|\btx?\({LITERAL}", "", code)
    code = re.sub(rf'(?:\bclassName|\bclass|"data-\w+"): (?:{LITERAL}|`[^`]*`)', "", code)
    found = [json.loads(text) for text in re.findall(LITERAL, code)]
    found += [re.sub(r"\$\{[^}]*\}", " ", text) for text in re.findall(r"`((?:[^`\\]|\\.)*)`", code)]
    assert [text for text in found if is_prose(text) and not NO_TEXT.fullmatch(text)] == []


def is_prose(text: str) -> bool:
    """Whether a text begins like a sentence, or has two words in a row of which one is no class of the style sheet."""
    return bool(
        re.match(r"[A-Z][a-z]+(?![A-Za-z]*[/(])", text) or re.search(r"[a-z]{2,}[,.:;]? [a-z]{2,}.* [a-z]{2,}", text)
    )


def test_every_code_of_the_server_has_a_word() -> None:
    words = (PAGE / "words.js").read_text()
    codes = [*Role, *Severity, *AlertState, *CorrectionKind]
    assert [code.value for code in codes if f"{code.value}: t(" not in words] == []


def test_the_style_sheet_mirrors_in_a_language_from_right_to_left() -> None:
    style = (PAGE / "style.css").read_text()
    physical = re.findall(
        r"[^;{]*(?:(?:margin|padding|border)-(?:left|right)|text-align: (?:left|right)|[ ;](?:left|right)): ?[^;}]*",
        style,
    )
    assert [each.strip() for each in physical if "--at" not in each and each.strip() != "margin-left: -1px"] == []
