"""Overlay: ours first, then Flower's, and a Lab link even when the navbar is not what we know."""

from __future__ import annotations

import logging

import pytest

from autotest.flower.overlay import OverlayLoader, with_lab_link

NAVBAR = """<nav><ul>
  <li><a href="{{ reverse_url('broker') }}">Broker</a></li>
</ul><ul><li>theme</li></ul></nav>"""


@pytest.fixture
def flowers(tmp_path):
    """A folder of templates such as Flower's."""
    (tmp_path / "base.html").write_text("<main>{% block container %}{% end %}</main>")
    (tmp_path / "workers.html").write_text("{% extends 'base.html' %}{% block container %}theirs{% end %}")
    (tmp_path / "navbar.html").write_text(NAVBAR)
    return tmp_path


def render(flowers, name, **names):
    return OverlayLoader(flowers).load(name).generate(reverse_url="/{}".format, **names).decode()


def test_a_template_of_flowers_is_found(flowers):
    assert render(flowers, "workers.html") == "<main>theirs</main>"


def test_a_template_of_ours_is_found_first(flowers):
    (flowers / "lab_folder.html").write_text("not this one")
    assert ">a/b<" in render(flowers, "lab_folder.html", folder="a/b", folders=set(), results_dir="/results")


def test_the_link_stands_behind_flowers_own_tabs(flowers):
    shown = render(flowers, "navbar.html", active_tab="")
    assert shown.index("Broker") < shown.index('href="/lab"') < shown.index("</ul>") < shown.index("theme")
    assert "active" not in shown


def test_the_link_says_when_its_page_is_shown(flowers):
    assert 'aria-current="page"' in render(flowers, "navbar.html", active_tab="lab")


def test_a_navbar_of_another_shape_stays_as_it_is(caplog):
    strange = "<nav><ol><li>Tasks</li></ol><ul><li>theme</li></ul></nav>"
    with caplog.at_level(logging.WARNING):
        assert with_lab_link(strange) == strange
    assert "the Lab tab has no link there" in caplog.text
