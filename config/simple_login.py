"""Login without an identity provider: Airflow's simple auth manager, one administrator."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import (
    SimpleAuthManager,
    SimpleAuthManagerRole,
    SimpleAuthManagerUser,
)


class SimpleLogin(SimpleAuthManager):
    """Refuses tokens whose role Airflow does not know, for which it would answer 500."""

    def deserialize_user(self, token: dict[str, Any]) -> SimpleAuthManagerUser:
        """The user of a token. Raises `ValueError`, which Airflow answers with 401 or 403."""
        role = token["role"]
        if role is not None and (
            not isinstance(role, str) or role.upper() not in SimpleAuthManagerRole.__members__
        ):
            raise ValueError("unknown role")
        return super().deserialize_user(token)
