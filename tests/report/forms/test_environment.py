"""Environments of templates: what a template says is text, and its headings alone can be set lower."""

from __future__ import annotations

from engine.report.forms.environment import make_environment, markdown_environment


def test_headings_of_a_chapter_are_set_lower_and_texts_are_not() -> None:
    text = "{% filter deeper(1) %}\n# One\n{{ said }}\n{% endfilter %}"
    assert markdown_environment().from_string(text).render(said="# two") == "## One\n\\# two\n"
    html = make_environment(is_html=True).from_string("{% filter deeper(1) %}<h1>{{ said }}</h1>{% endfilter %}")
    assert html.render(said="<h1>") == "<h2>&lt;h1&gt;</h2>"


def test_backticks_are_code_in_markdown_and_all_else_is_text() -> None:
    said = markdown_environment().from_string("{{ said|coded }}")
    assert said.render(said="ask `xp diff` for *all*") == r"ask `xp diff` for \*all\*"
    assert said.render(said="`a` `b`") == "`a` `b`"
    assert said.render(said="one ` alone") == r"one \` alone"


def test_backticks_are_code_in_html_and_what_is_in_them_is_text() -> None:
    said = make_environment(is_html=True).from_string("{{ said|coded }}")
    assert said.render(said="ask `xp <diff>` & see") == "ask <code>xp &lt;diff&gt;</code> &amp; see"
    assert said.render(said="one ` alone") == "one ` alone"


def test_long_names_break_in_html_where_a_word_of_theirs_ends() -> None:
    said = make_environment(is_html=True).from_string("{{ said|breaks }}")
    assert said.render(said="train.warmup_epochs <3") == "train.<wbr>warmup_<wbr>epochs &lt;3"
    assert said.render(said="0.5 to 1.25, done.") == "0.5 to 1.25, done."
