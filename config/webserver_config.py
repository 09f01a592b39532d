"""Login through the council's identity provider (OIDC), with Airflow's FAB auth manager.

The API server reads this file through `[fab] config_file`. Without an identity provider, log in as
a user created with `airflow users create`; at first there are none.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import (
    FabAirflowSecurityManagerOverride,
)
from flask_appbuilder.const import AUTH_DB, AUTH_OAUTH

from include.errors import PermanentError
from include.settings import Settings

log = logging.getLogger(__name__)
settings = Settings.read()

# Airflow's Viewer may not view plugins; this role, defined in `[fab] custom_roles`, may.
DOCS_ROLE = "DbtDocs"
GROUPS = {
    "Viewer": settings.oidc_viewers,
    "Op": settings.oidc_operators,
    "Admin": settings.oidc_admins,
}


def roles_of_groups(groups: dict[str, str]) -> dict[str, list[str]]:
    """Group -> Airflow roles, from role -> comma-separated groups.

    Raises `PermanentError` if there are no groups at all: nobody could log in.
    """
    mapped: dict[str, list[str]] = {}
    for role, names in groups.items():
        for name in filter(None, (name.strip() for name in names.split(","))):
            mapped.setdefault(name, []).extend([role, DOCS_ROLE] if role == "Viewer" else [role])
    if not mapped:
        raise PermanentError(
            "login: no groups are configured. Set WANDLE_OIDC_VIEWERS, WANDLE_OIDC_OPERATORS and "
            "WANDLE_OIDC_ADMINS to groups of your identity provider."
        )
    return mapped


class Login(FabAirflowSecurityManagerOverride):
    """Assigns roles by group at each login. Users in none of the groups are denied."""

    def get_oauth_user_info(self, provider: str, resp: dict[str, Any]) -> dict[str, Any]:
        """The user's claims, from the ID token; its signature and nonce are already verified."""
        claims = dict(resp["userinfo"])
        if settings.oidc_groups_claim not in claims:
            more = self.oauth_remotes[provider].userinfo(token=resp)
            if more["sub"] != claims["sub"]:
                raise PermanentError(
                    "login: the user info belongs to a different user than the token."
                )
            claims = {**more, **claims}
        groups = claims.get(settings.oidc_groups_claim) or []
        return {
            "username": claims.get("preferred_username") or claims.get("email") or claims["sub"],
            "email": claims.get("email", ""),
            "first_name": claims.get("given_name", ""),
            "last_name": claims.get("family_name", ""),
            "role_keys": [groups] if isinstance(groups, str) else [str(name) for name in groups],
        }

    def auth_user_oauth(self, userinfo: dict[str, Any], rotate_session_id: bool = True) -> Any:
        """The user, or None without a role; then any earlier role is revoked, too."""
        if self._oauth_calculate_user_roles(userinfo):
            return super().auth_user_oauth(userinfo, rotate_session_id)
        known = self.find_user(username=userinfo["username"])
        if known:
            known.roles = []
            self.update_user(known)
        log.warning("login: %r is in no group with access", userinfo["username"])
        return None

    def _oauth_calculate_user_roles(self, userinfo: dict[str, Any]) -> list[Any]:
        """Roles from groups only; FAB would add the default registration role."""
        return list(self.get_roles_from_keys(userinfo["role_keys"]))


WTF_CSRF_ENABLED = True
if not settings.oidc_issuer:
    AUTH_TYPE = AUTH_DB
else:
    SECURITY_MANAGER_CLASS = Login
    AUTH_TYPE = AUTH_OAUTH
    AUTH_ROLES_MAPPING = roles_of_groups(GROUPS)
    AUTH_ROLES_SYNC_AT_LOGIN = True
    AUTH_USER_REGISTRATION = True
    OAUTH_PROVIDERS = [
        {
            "name": "oidc",
            "icon": "fa-key",
            "token_key": "access_token",
            "remote_app": {
                "client_id": settings.need("oidc_client_id"),
                "client_secret": settings.need("oidc_client_secret"),
                "server_metadata_url": (
                    f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration"
                ),
                "client_kwargs": {
                    "scope": settings.oidc_scopes,
                    "code_challenge_method": "S256",
                    "timeout": 20,
                },
            },
        }
    ]
