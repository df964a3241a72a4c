"""Tests of autotest.server.untar: nothing that a DUT packs leaves the folder it is unpacked into."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import errors
from autotest.server import untar

MEGABYTE = 1024 * 1024


def pack(path, *members):
    """A tar of (name, content) files, (name, None) folders, and ready TarInfo objects."""
    with tarfile.open(path, "w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member, io.BytesIO(b"x" * member.size))
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "outer" / "results"
    folder.mkdir(parents=True)
    return folder


def unpack(archive, folder, limit=MEGABYTE, wanted=lambda path: True):
    return untar.unpack(archive, folder, limit, wanted)


def test_files_folders_and_inner_links_are_unpacked(tmp_path, place):
    link = special("pas/sysinfo/reboot_current", tarfile.SYMTYPE, "../../sysinfo/boot.0")
    archive = pack(
        tmp_path / "a", ("pas", None), ("pas/keyval", b"version=1\n"), ("sysinfo/boot.0/uname", b"Linux"), link
    )

    assert unpack(archive, place) == []
    assert (place / "pas/keyval").read_bytes() == b"version=1\n"
    assert (place / "pas/sysinfo/reboot_current/uname").read_bytes() == b"Linux"


@pytest.mark.parametrize(
    "member",
    [
        ("/etc/evil", b"x"),
        ("../evil", b"x"),
        ("pas/../../evil", b"x"),
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("link", tarfile.SYMTYPE, "../outside"),
        special("pas/link", tarfile.SYMTYPE, "../../outside"),
        special("link", tarfile.SYMTYPE, "sub/../../outside"),
        special("link", tarfile.SYMTYPE, "sub/../inside"),
        special("hard", tarfile.LNKTYPE, "../outside"),
        special("pipe", tarfile.FIFOTYPE),
        special("disk", tarfile.BLKTYPE),
        special("tty", tarfile.CHRTYPE),
    ],
    ids=lambda member: member[0] if isinstance(member, tuple) else f"{member.name}->{member.linkname}",
)
def test_what_could_lead_out_or_is_special_is_refused_and_the_rest_is_kept(tmp_path, place, member):
    archive = pack(tmp_path / "a", ("before", b"1"), member, ("after", b"2"))

    assert len(unpack(archive, place)) == 1
    assert sorted(path.name for path in place.rglob("*") if path.is_file()) == ["after", "before"]
    assert os.listdir(place.parent) == ["results"]


def test_nothing_is_written_through_a_link(tmp_path, place):
    outside = tmp_path / "outside"
    outside.mkdir()
    (place / "way").symlink_to(outside)

    refused = unpack(pack(tmp_path / "a", ("way/evil", b"x"), ("way", b"y")), place)

    assert len(refused) == 2
    assert list(outside.iterdir()) == []


def test_a_link_and_then_a_file_through_it_stays_a_folder(tmp_path, place):
    archive = pack(tmp_path / "a", special("way", tarfile.SYMTYPE, "real"), ("way/file", b"x"))

    assert len(unpack(archive, place)) == 1
    assert (place / "way/file").read_bytes() == b"x"
    assert not (place / "way").is_symlink()


def test_what_is_not_wanted_is_left_out(tmp_path, place):
    archive = pack(tmp_path / "a", ("keyval", b"evil"), ("pas/keyval", b"fine"))

    assert unpack(archive, place, wanted=lambda path: path.parts != ("keyval",)) == []
    assert not (place / "keyval").exists()


def test_set_user_id_bits_do_not_come_home(tmp_path, place):
    info = tarfile.TarInfo("tool")
    info.mode = 0o6777
    unpack(pack(tmp_path / "a", info), place)

    assert (place / "tool").stat().st_mode & 0o7022 == 0


def test_a_tar_that_unpacks_to_too_much_is_refused(tmp_path, place):
    with pytest.raises(errors.BadResultsFolder, match="more than 100 bytes"):
        unpack(pack(tmp_path / "a", ("big", b"x" * 101)), place, limit=100)


def test_what_is_no_tar_is_refused(tmp_path, place):
    (tmp_path / "a").write_bytes(b"garbage" * 1000)

    with pytest.raises(errors.BadResultsFolder, match="is not a sound tar file"):
        unpack(tmp_path / "a", place)


def test_a_torn_tar_keeps_what_came_whole(tmp_path, place):
    archive = pack(tmp_path / "a", ("one", b"1"), ("two", b"2" * 5000))
    archive.write_bytes(archive.read_bytes()[:2000])

    with pytest.raises(errors.BadResultsFolder, match="is not a sound tar file"):
        unpack(archive, place)
    assert (place / "one").read_bytes() == b"1"


names = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c"]), min_size=1, max_size=5).map("/".join)
members = st.lists(
    st.one_of(
        st.tuples(names, st.one_of(st.none(), st.just(b"data"))),
        st.builds(special, names, st.sampled_from([tarfile.SYMTYPE, tarfile.LNKTYPE]), names),
    ),
    max_size=8,
)


@given(members)
def test_whatever_is_packed_every_path_resolves_inside(tmp_path_factory, packed):
    root = tmp_path_factory.mktemp("any")
    place = root / "results"
    place.mkdir()
    unpack(pack(root / "archive", *packed), place)

    assert sorted(os.listdir(root)) == ["archive", "results"]
    inside = os.path.realpath(place)
    for path in place.rglob("*"):
        resolved = os.path.realpath(path)
        assert resolved == inside or resolved.startswith(inside + os.sep)


@given(st.binary(max_size=4096))
def test_arbitrary_bytes_raise_nothing_unforeseen(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("any")
    (root / "results").mkdir()
    (root / "archive").write_bytes(data)
    with contextlib.suppress(errors.BadResultsFolder):
        unpack(root / "archive", root / "results")
    assert sorted(os.listdir(root)) == ["archive", "results"]
