"""Send requests to an API: rate limited, with timeouts, retried if that can help."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from urllib.parse import urlsplit

import requests
import tenacity

from include.errors import PipelineError, SourceRejected, SourceUnavailable
from include.extract.answer import Answer, answered, refuse_large_headers
from include.extract.hosts import Hosts, Refused, address_of, lost_parameters
from include.extract.login.login import Login
from include.extract.network.addresses import NotAllowed
from include.extract.network.connection import Guard, Session, guarded
from include.extract.network.credentials import NONE, Credentials, logged_in
from include.extract.network.deadline import Deadline, Fetch
from include.extract.network.failures import failure_of
from include.extract.network.receive import receive
from include.extract.rate_limit import limiter
from include.extract.statuses import LATER, AnswerNotReady, refuse
from include.sources.extract.addresses import is_loopback
from include.sources.extract.auth import REFUSED
from include.sources.extract.http import Extract
from include.sources.extract.http import Rate as AllowedRate
from include.sources.limits import DEFAULT, Limits
from include.sources.page import SentRequest

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10

LONGEST_BACKOFF_SECONDS = 30.0
# In total, for an answer that is being prepared (202).
LONGEST_PREPARATION_SECONDS = 300.0
# Between two requests for it, even where the server asks for less.
SHORTEST_PREPARATION_SECONDS = 1.0
MOST_REDIRECTS = 5
# The redirects that preserve the method POST (RFC 9110, 15.4).
KEEPS_METHOD = {307, 308}
REDIRECTS = {301, 302, 303, *KEEPS_METHOD}


@dataclass
class _Sending:
    """One request on its way: the URL that is requested next, and those redirected to so far.

    `credentials` are those that it was sent with last; `renewed` says that a
    refused login has been renewed for it.
    """

    who: str
    request: SentRequest
    url: str
    redirects: list[str] = field(default_factory=list)
    credentials: Credentials = NONE
    renewed: bool = False

    @property
    def address(self) -> str:
        """The present URL without its query, and the first one where that is another."""
        here = address_of(self.url)
        if not self.redirects:
            return here
        return f"{here} (redirected from {self.request.address})"


class Client:
    """One source's connection to its API.

    `rate` is the limit for the clients of the host: those of one process, or
    all that share it in the warehouse whose DSN is `rate_shared_in`. The time
    limit of a fetch starts when the client is created. With `public_only`,
    hosts must have public addresses, except the contract's `private_hosts`.
    With a `login`, requests to the host of `base_url` are sent with it.
    """

    def __init__(
        self,
        extract: Extract,
        rate: AllowedRate,
        rate_shared_in: str | None = None,
        *,
        limits: Limits = DEFAULT,
        public_only: bool = True,
        login: Login | None = None,
    ) -> None:
        self._extract = extract
        self._login = login
        self._limits = limits
        self._fetch = Fetch(limits)
        self._public_only = public_only
        self._limiter = limiter(extract.host, rate, rate_shared_in)
        self._session = Session()
        self._session.headers["User-Agent"] = "wandle (council data pipeline)"

    def ask(
        self,
        who: str,
        request: SentRequest,
        *,
        accept: frozenset[int] = frozenset(),
        fail_at_once: tuple[str, ...] = (),
        check: Callable[[Answer], None],
    ) -> Answer:
        """Send `request` until it is answered with a body, or with a status in `accept`.

        `who` opens every message: the partition, and which part of it.
        `check` looks at a body and raises `SourceUnavailable` where it is cut
        short, which is tried again. Redirects are followed to the contract's
        hosts, by GET, or by POST where they keep the method. Raises
        `SourceUnavailable` once the contract's `attempts` are used up or a 202
        has been waited for too long, `SourceRejected` for a status or redirect
        that another attempt will not change or a 429 whose body holds one of
        the texts `fail_at_once`, `BeyondLimit` for an answer that is too large
        or takes too long, and whatever else `check` raises.
        """

        def attempt() -> Answer:
            answer = self._send(who, request, accept, fail_at_once)
            if answer.status not in accept:
                check(answer)
                answer.body.seek(0)
            return answer

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_worth_another_attempt),
            stop=tenacity.stop_after_attempt(self._extract.attempts),
            wait=_pause,
            before_sleep=self._tell,
            reraise=True,
        )
        return retrying(attempt)

    def _send(
        self,
        who: str,
        request: SentRequest,
        accept: frozenset[int],
        fail_at_once: tuple[str, ...],
    ) -> Answer:
        """One attempt; an answer that is being prepared (202) is waited for."""
        waited, polls = 0.0, 0
        while True:
            self._fetch.check(who)
            # They last for one request and its redirects; an attempt that resumes has none either.
            self._session.cookies.clear()
            sending = _Sending(who, request, request.url)
            deadline = self._fetch.request()
            try:
                with guarded(Guard(deadline, self._may_be_private)):
                    return self._follow(sending, accept, fail_at_once, deadline)
            except AnswerNotReady as told:
                pause = told.pause_seconds
                if pause is None:
                    pause = min(LONGEST_BACKOFF_SECONDS, 2.0**polls)
                pause = max(pause, SHORTEST_PREPARATION_SECONDS)
                waited, polls = waited + pause, polls + 1
                if waited > LONGEST_PREPARATION_SECONDS:
                    raise AnswerNotReady(
                        f"{told} It was not ready within {LONGEST_PREPARATION_SECONDS:.0f} s. "
                        "Try again later."
                    ) from None
                log.info("%s Requesting it again in %.1f s.", told, pause)
                tenacity.nap.sleep(pause)
            except SourceUnavailable:
                # Cut by the deadline, it looks as if it had broken off.
                deadline.check(f"{who}, {sending.address}")
                raise

    @property
    def _parameter(self) -> str:
        """The query parameter that carries the login, if any."""
        return self._login.auth.parameter if self._login else ""

    def _may_be_private(self, host: str) -> bool:
        return not self._public_only or host in self._extract.private_names

    def _follow(
        self,
        sending: _Sending,
        accept: frozenset[int],
        fail_at_once: tuple[str, ...],
        deadline: Deadline,
    ) -> Answer:
        """The answer after all redirects, and after a refused login was renewed."""
        while True:
            with self._response(sending, deadline) as response:
                told = f"{sending.who}: HTTP {response.status_code} from {sending.address}"
                refuse_large_headers(told, response)
                if response.status_code in REFUSED and self._is_renewed(sending, told, deadline):
                    continue
                url, redirects = sending.url, sending.redirects
                if response.status_code in accept:
                    return answered(response, SpooledTemporaryFile(), url, redirects)
                if response.status_code in REDIRECTS and "Location" in response.headers:
                    self._redirect(sending, response)
                    continue
                refuse(told, response, fail_at_once)
                limit, scrubs = self._limits.answer_bytes, self._login is not None
                found = receive(
                    sending.who, sending.address, response, deadline, limit, scrubs=scrubs
                )
                return answered(
                    response, found.body, url, redirects, sha256=found.sha256, size=found.size
                )

    def _is_renewed(self, sending: _Sending, told: str, deadline: Deadline) -> bool:
        """Whether a request that was refused is worth sending again. Raises `SourceRejected`."""
        login = self._login
        if login is None or not sending.credentials:
            return False
        if sending.renewed or not login.renewed(sending.who, deadline):
            raise login.refusal(told)
        sending.renewed = True
        return True

    def _credentials(self, sending: _Sending, deadline: Deadline) -> Credentials:
        """What the next request is sent with: nothing, unless it goes to the API's own host."""
        login = self._login
        if login is None:
            return NONE
        hosts = Hosts(self._extract.known_hosts, sending.request.url)
        if hosts.meant_by(sending.url) != self._extract.host:
            return NONE
        found = login.credentials(sending.who, deadline)
        parts = urlsplit(sending.url)
        if parts.scheme != "https" and not (is_loopback(parts.hostname or "") or login.is_made_up):
            raise SourceRejected(
                f"{sending.who}: {sending.address} is not requested: the secret "
                f"`{login.auth.secret}` is sent over https:// only. Retrying will not help."
            )
        return found

    def _response(self, sending: _Sending, deadline: Deadline) -> requests.Response:
        request = sending.request
        self._limiter.try_acquire(self._extract.host)
        sending.credentials = self._credentials(sending, deadline)
        try:
            with logged_in(sending.credentials):
                return self._session.request(
                    request.method,
                    sending.url,
                    params=None if sending.redirects else request.query or None,
                    headers=request.headers,
                    data=request.form or request.text.encode() or None,
                    json=request.body,
                    timeout=(CONNECT_SECONDS, self._extract.timeout_seconds),
                    stream=True,
                    allow_redirects=False,
                )
        except requests.exceptions.InvalidURL as error:
            raise SourceRejected(
                f"{sending.who}: {sending.address} is not a valid URL ({error}). Retrying will "
                "not help; check `request` in the source's contract."
            ) from error
        except NotAllowed as error:
            raise SourceRejected(
                f"{sending.who}: {sending.address} is not requested: {error}. Retrying will not "
                "help. If the source is in your own network, name its host under "
                "`extract.private_hosts` in the contract."
            ) from None
        except requests.RequestException as error:
            raise _unanswered(sending, error) from error

    def _redirect(self, sending: _Sending, response: requests.Response) -> None:
        """Follow a redirect, or raise if it is not allowed."""
        location = response.headers["Location"]
        told = (
            f"{sending.who}: HTTP {response.status_code} from {sending.address} redirects to "
            f"{address_of(location)}"
        )
        try:
            hosts = Hosts(self._extract.known_hosts, sending.request.url, self._parameter)
            url = hosts.follow_redirect(sending.url, location)
        except Refused as error:
            raise SourceRejected(
                f"{told}, which is not followed: {error}. Retrying will not help."
            ) from None
        if sending.request.method == "POST" and response.status_code not in KEEPS_METHOD:
            raise SourceRejected(
                f"{told}, which would turn the POST into a GET. Retrying will not help; has the "
                "API moved? Put the new address into `base_url` and `request.path`."
            )
        if len(sending.redirects) == MOST_REDIRECTS:
            raise SourceRejected(
                f"{told}, after {MOST_REDIRECTS} redirects. Retrying will not help; is "
                "`request` right in the contract?"
            )
        lost = lost_parameters(response.url, url)
        if lost:
            raise SourceRejected(
                f"{told}, without the parameters {', '.join(lost)}, so that a different request "
                "would be answered. Retrying will not help; put the new address into `base_url` "
                "and `request.path`."
            )
        sending.url = url
        sending.redirects.append(address_of(url))

    def _tell(self, state: tenacity.RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        log.warning(
            "attempt %d of %d failed: %s Trying again in %.1f s.",
            state.attempt_number,
            self._extract.attempts,
            str(failure).removesuffix(LATER).rstrip(),
            state.upcoming_sleep,
        )


def _unanswered(sending: _Sending, error: requests.RequestException) -> PipelineError:
    """The failure of a request without an answer, with its reason."""
    found = failure_of(error, sending.url)
    told = f"{sending.who}: no answer from {sending.address} ({found.what})."
    if found.permanent:
        return SourceRejected(f"{told} Retrying will not help. {found.fix}")
    return SourceUnavailable(f"{told} {found.fix}".rstrip() + f" {LATER}")


def _is_worth_another_attempt(error: BaseException) -> bool:
    # A 202 has been waited for.
    return isinstance(error, SourceUnavailable) and not isinstance(error, AnswerNotReady)


_backoff = tenacity.wait_exponential_jitter(multiplier=0.5, max=LONGEST_BACKOFF_SECONDS)


def _pause(state: tenacity.RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome else None
    asked = getattr(failure, "pause_seconds", None)
    return float(asked) if asked is not None else _backoff(state)
