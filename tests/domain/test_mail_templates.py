"""A workspace's own words of mails: what they may say, how long they may take, and what they cannot do."""

import time
from typing import Any

import pytest

from domain import mail_templates, own_words
from domain.errors import Forbidden, Invalid, Stale
from domain.mail_kinds import KINDS
from domain.mail_templates import Source
from domain.words import LANGUAGES, words
from models.events import Event
from models.users import Role
from tests.factories import NOW, member, seller

SAMPLE: dict[str, Any] = {
    "name": "Ada",
    "at": NOW,
    "lead": {"title": "Roof & <b>tiles</b>"},
    "rows": [{"title": "One", "tags": ["a", "b"]}, {"title": "Two", "tags": []}],
}
GOOD = Source("Join {{ workspace }}", "Hello,\n{{ inviter }} invites you.\n\n{{ link }}")


def wrong(source: str, *, html: bool = False) -> list[tuple[int, str]]:
    return [(fault.line, fault.what) for fault in own_words.faults(source, SAMPLE, html=html)]


def filled(source: str, *, html: bool = False) -> str:
    assert wrong(source, html=html) == []
    return own_words.fill(source, SAMPLE, language="de", html=html)


def test_what_templates_are_for() -> None:
    assert filled("Hello {{ name | upper }}, {{ lead.title }}") == "Hello ADA, Roof & <b>tiles</b>"
    assert filled("{{ lead.title }}", html=True) == "Roof &amp; &lt;b&gt;tiles&lt;/b&gt;"
    tags = "{% for tag in row.tags %} #{{ tag }}{% endfor %}"
    assert (
        filled("{% for row in rows %}{{ loop.index }}. {{ row.title }}" + tags + ";{% endfor %}")
        == "1. One #a #b;2. Two;"
    )
    assert filled("{{ rows | length }} {{ at | date }}") == f"2 {words('de').date(NOW)}"
    assert filled("{{ 'yes' if rows else 'no' }}") == "yes"


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("\n\n{{ nobody }}", 3, "there is no fact nobody"),
        ("a\n{% if %}", 2, "Expected an expression"),
        ("{{ name", 1, "unexpected end of template"),
        ("\n{{ lead.price }}", 2, "no attribute 'price'"),
        ("{{ name | tojson }}", 1, "there is no filter tojson"),
        ("{{ name.__class__ }}", 1, "__class__ cannot be used"),
        ("{{ range(10) }}", 1, "a call cannot be used"),
        ("{% for i in range(10**9) %}x{% endfor %}", 1, "loops go through lists of facts"),
        ("{{ 'x' * 10**9 }}", 1, "arithmetic cannot be used"),
        ("{{ 10**10**10 }}", 1, "arithmetic cannot be used"),
        ("{{ name + name }}", 1, "arithmetic cannot be used"),
        ("{{ rows[0] }}", 1, "getitem cannot be used"),
        ("{% set a = name %}", 1, "assign cannot be used"),
        ("{% macro a() %}{{ a() }}{% endmacro %}", 1, "macro cannot be used"),
        ("{% include 'invitation.txt' %}", 1, "include cannot be used"),
        ("{% extends 'layout.html' %}", 1, "extends cannot be used"),
        ("{% import 'x' as y %}", 1, "import cannot be used"),
        ("{% block a %}{% endblock %}", 1, "block cannot be used"),
        ("{% filter upper %}a{% endfilter %}", 1, "filterblock cannot be used"),
        ("{{ [1, 2, 3] }}", 1, "list cannot be used"),
        ("{{ {'a': 1} }}", 1, "dict cannot be used"),
        ("{{ name.replace('a', 'aaaa') }}", 1, "a call cannot be used"),
        ("{{ name is defined }}", 1, "test cannot be used"),
        (
            "{% for a in rows %}{% for b in a.tags %}{% for c in rows %}x{% endfor %}{% endfor %}{% endfor %}",
            1,
            "at most 2 within each other",
        ),
        ("{% for a in rows recursive %}{{ a.title }}{% endfor %}", 1, "loops go through lists"),
        ("{{ name | date }}", 1, "a filter does not take this fact"),
    ],
)
def test_what_templates_cannot_say_is_told_with_its_line(source: str, line: int, what: str) -> None:
    found = wrong(source)
    assert found, "nothing is wrong with it"
    assert found[0][0] == line
    assert any(what in told for _, told in found), found


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "name" + ")" * 5000 + " }}",
        "{% if name %}" * 3000 + "x" + "{% endif %}" * 3000,
        "{{ name" + " ~ name" * 9_000 + " }}",
        "{{ " + "not " * 20_000 + "name }}",
        "x" * 200_000,
        "{{ name" + " | upper" * 9_000 + " }}",
        "{{ '" + "\\n" * 49_000 + "' }}",
        "{% for row in rows %}" + "{{ name }}" * 9_000 + "{% endfor %}",
        "{#" * 40_000,
        "{{ " + "lead." * 19_000 + "title }}",
    ],
)
def test_no_template_takes_long(source: str) -> None:
    began = time.process_time()
    wrong(source)
    assert time.process_time() - began < 5


def test_what_grows_too_long_is_given_up() -> None:
    many = SAMPLE | {"rows": [{"title": "x" * 1000, "tags": ["y"] * 100}] * 100}
    source = "{% for row in rows %}{% for tag in row.tags %}{{ row.title }}{% endfor %}{% endfor %}"
    assert wrong(source) == []
    with pytest.raises(own_words.TooLong):
        own_words.fill(source, many, language="en", html=False)


def test_facts_are_never_changed_nor_left() -> None:
    for source in ("{{ rows.append }}", "{{ lead.items }}", "{{ at.tzinfo._key }}", "{{ rows.clear }}"):
        try:
            told = filled(source)
        except AssertionError:
            continue
        assert "built-in method" not in told or "object at" in told
    assert len(SAMPLE["rows"]) == 2


def test_own_words_of_text_alone_become_html() -> None:
    words = mail_templates.own(
        Source("Hi\n{{ workspace }}", "One <b>\n& two\n\nSee {{ link }}"),
        {"workspace": "Acme", "link": "https://crm.example/?a=1&b=2"},
        language="en",
        unsubscribe_link="https://crm.example/unsubscribe/t",
    )
    assert words.subject == "Hi Acme"
    assert "<p>One &lt;b&gt;<br>\n&amp; two</p>" in words.html
    assert '<a href="https://crm.example/?a=1&amp;b=2"' in words.html
    assert "https://crm.example/unsubscribe/t" in words.html
    assert words.text.startswith("One <b>\n& two\n\nSee https://crm.example/?a=1&b=2\n")
    assert "https://crm.example/unsubscribe/t" in words.text


@pytest.mark.usefixtures("db")
class TestKept:
    async def test_words_are_set_changed_and_reset(self) -> None:
        admin = await seller()
        first = await mail_templates.set_own(admin, kind="invitation", language="de", source=GOOD, now=NOW)
        assert first.own
        assert first.own.version == 1
        again = await mail_templates.set_own(admin, kind="invitation", language="de", source=GOOD, now=NOW)
        assert again.own and again.own.version == 1
        other = Source("Komm zu {{ workspace }}", GOOD.text)
        changed = await mail_templates.set_own(
            admin, kind="invitation", language="de", source=other, expected_version=1, now=NOW
        )
        assert changed.own and (changed.own.version, changed.own.subject) == (2, other.subject)
        own = await mail_templates.own_of([admin.workspace_id], ["invitation"])
        assert own == {(admin.workspace_id, "invitation", "de"): other}
        with pytest.raises(Stale) as stale:
            await mail_templates.reset(admin, kind="invitation", language="de", expected_version=1, now=NOW)
        assert stale.value.current.own.version == 2
        for _ in range(2):
            reset = await mail_templates.reset(admin, kind="invitation", language="de", now=NOW)
            assert reset.own is None
        names = [event.name for event in await Event.filter(workspace_id=admin.workspace_id).order_by("id")]
        assert names[-3:] == ["mail_template.set", "mail_template.set", "mail_template.reset"]

    async def test_faults_are_told_together_and_nothing_is_kept(self) -> None:
        admin = await seller()
        source = Source("{{ nobody }}", "a\n{{ workspace", "<p>\n\n{{ 9 * 9 }}</p>")
        with pytest.raises(Invalid) as faults:
            await mail_templates.set_own(admin, kind="invitation", language="de", source=source, now=NOW)
        told = {(".".join(fault.field or ()), fault.facts["line"]) for fault in faults.value.faults}
        assert told == {("subject", 1), ("text", 2), ("html", 3)}
        with pytest.raises(Invalid) as faults:
            await mail_templates.set_own(admin, kind="nope", language="xx", source=GOOD, now=NOW)
        assert [fault.field for fault in faults.value.faults] == [("kind",), ("language",)]
        assert await mail_templates.own_of([admin.workspace_id], list(KINDS)) == {}

    async def test_the_words_of_all_kinds_are_known_to_admins_and_managers(self) -> None:
        admin = await seller()
        await mail_templates.set_own(admin, kind="invitation", language="de", source=GOOD, now=NOW)
        rep = await member(Role.REP, of=admin)
        known = await mail_templates.known(await member(Role.MANAGER, of=admin))
        assert len(known) == len(KINDS) * len(LANGUAGES)
        assert [(one.kind.name, one.language) for one in known if one.own] == [("invitation", "de")]
        with pytest.raises(Forbidden):
            await mail_templates.known(rep)
        with pytest.raises(Forbidden):
            mail_templates.trial(rep, kind="invitation", language="de", source=GOOD)
        with pytest.raises(Forbidden):
            await mail_templates.set_own(rep, kind="invitation", language="de", source=GOOD, now=NOW)
