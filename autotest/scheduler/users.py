"""Users and ACL groups: who may use which hosts (afe-scheduler-and-rpc.md sections 1.3 and 4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from autotest.models.afe import EVERYONE, AclGroup, AclGroupHost, AclGroupUser, User

#: Logins name results folders.
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")


def check_login(login: str) -> dict[str, str]:
    """The problem of an owner's *login*, by argument name."""
    if _LOGIN.fullmatch(login):
        return {}
    return {"owner": f"{login!r} is not a login: up to 64 letters, digits and _.@+-"}


def named(login: str) -> User:
    """The user of that login; a new one is made and put into Everyone. Runs inside the caller's transaction."""
    user = User.get_or_none(User.login == login)
    if user is None:
        user = User.create(login=login)
        AclGroupUser.create(aclgroup=everyone(), user=user)
    return user


def everyone() -> AclGroup:
    """The group that everybody is in."""
    return AclGroup.get(AclGroup.name == EVERYONE)


def may_use(login: str, host_ids: Iterable[int]) -> set[int]:
    """Those of *host_ids* that *login* shares a group with; a superuser may use all."""
    wanted = list(host_ids)
    user = User.get_or_none(User.login == login)
    if user is not None and user.access_level >= 100:
        return set(wanted)
    groups = (
        AclGroupUser.select(AclGroupUser.aclgroup).where(AclGroupUser.user == user.id)
        if user is not None
        else AclGroup.select(AclGroup.id).where(AclGroup.name == EVERYONE)
    )
    rows = AclGroupHost.select(AclGroupHost.host).where(
        AclGroupHost.host.in_(wanted), AclGroupHost.aclgroup.in_(groups)
    )
    return {host_id for (host_id,) in rows.tuples()}
