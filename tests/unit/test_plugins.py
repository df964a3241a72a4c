"""Plug-ins are found by name; an unknown name is answered with the known ones."""

from __future__ import annotations

from importlib import metadata

import pytest

from autotest import plugins
from autotest.errors import PluginNotFound


@pytest.fixture
def installed(monkeypatch):
    """Two plug-ins of the group ``autotest.hat``, the second of which cannot be imported."""
    points = metadata.EntryPoints(
        [
            metadata.EntryPoint("top", "json:loads", "autotest.hat"),
            metadata.EntryPoint("broken", "no.such.module:Hat", "autotest.hat"),
        ]
    )
    monkeypatch.setattr(plugins, "entry_points", lambda group: points.select(group=group))


def test_a_plug_in_is_found_by_name(installed):
    assert plugins.one_of("autotest.hat", "top")("1") == 1


def test_an_unknown_plug_in_names_the_known(installed):
    with pytest.raises(PluginNotFound, match=r"no 'bowler' in autotest\.hat; known: broken, top"):
        plugins.one_of("autotest.hat", "bowler")


def test_an_empty_group_is_said_to_be_empty(installed):
    with pytest.raises(PluginNotFound, match="known: none"):
        plugins.one_of("autotest.scarf", "red")


def test_listing_loads_nothing(installed):
    assert [point.name for point in plugins.all_of("autotest.hat")] == ["broken", "top"]
