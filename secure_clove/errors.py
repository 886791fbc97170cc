"""Every error this library raises on purpose, with a code that never changes.

CloveError
├── ConfigError                 a value that can never work
├── DataError                   the client's own data or model cannot be used
├── ProtocolError
│   ├── LocalProtocolError      our bug: nothing was sent
│   └── RemoteProtocolError     their fault: our state is unchanged
│       ├── MalformedError          not a message of this version
│       ├── TooLargeError           more bytes than the stage allows
│       ├── UnknownClientError      not in the roster
│       ├── BadSignatureError       not signed by who it says
│       ├── ReplayedError           a request seen before, or too old
│       ├── ConflictError           a second, different message for a stage
│       ├── StageClosedError        too late, or too early
│       ├── ModelMismatchError      the bytes are not those the session names
│       ├── NotFoundError           no such federation, session or artefact
│       └── AbortedError            the session ended without a sum
├── PrivacyError                going on would break a promise
│   ├── BudgetExceededError
│   ├── PolicyRefusedError
│   └── CohortTooSmallError
├── TransportError              the other side cannot be reached
└── StoreError                  persistence failed

Messages name the cause and the cure and never hold a payload, a key, a loss or a gradient.
"""

from typing import ClassVar


class CloveError(Exception):
    """Base class. ``code`` is stable and safe to show to a peer."""

    code: ClassVar[str] = "error"


class ConfigError(CloveError):
    """A setting that can never work."""

    code = "config"


class DataError(CloveError):
    """The client's own data or model cannot be used."""

    code = "data"


class ProtocolError(CloveError):
    """A step was taken out of turn, or a message is wrong."""

    code = "protocol"


class LocalProtocolError(ProtocolError):
    """We tried to do something the protocol forbids; nothing was sent."""

    code = "protocol-local"


class RemoteProtocolError(ProtocolError):
    """The peer did something the protocol forbids; our state is unchanged."""


class MalformedError(RemoteProtocolError):
    """The bytes are not a message of this version."""

    code = "malformed"


class TooLargeError(RemoteProtocolError):
    """More bytes than the stage allows."""

    code = "too-large"


class UnknownClientError(RemoteProtocolError):
    """The sender is not in the roster or not in the cohort."""

    code = "unknown-client"


class BadSignatureError(RemoteProtocolError):
    """The message is not signed by who it says."""

    code = "bad-signature"


class ReplayedError(RemoteProtocolError):
    """The request was seen before, or its timestamp is out of the window."""

    code = "replayed"


class ConflictError(RemoteProtocolError):
    """A second, different message for a stage that was answered already."""

    code = "conflict"


class StageClosedError(RemoteProtocolError):
    """The stage is over, or has not begun."""

    code = "stage-closed"


class ModelMismatchError(RemoteProtocolError):
    """The bytes received are not those the session names."""

    code = "model-mismatch"


class NotFoundError(RemoteProtocolError):
    """No such federation, session, stage or artefact."""

    code = "not-found"


class AbortedError(RemoteProtocolError):
    """The session ended without a sum."""

    code = "aborted"


class PrivacyError(CloveError):
    """Going on would break a privacy promise."""

    code = "privacy"


class BudgetExceededError(PrivacyError):
    """The release would cost more ε than the policy has left."""

    code = "budget-exceeded"

    def __init__(self, *, after: float, limit: float, delta: float) -> None:
        """Keep the numbers: ε in total after the release, and the limit, at ``delta``."""
        super().__init__(
            f"the release would bring ε to {after:.4g} at δ={delta:g}, over the limit {limit:.4g}; "
            "raise max_epsilon in your policy or leave the federation"
        )
        self.after, self.limit, self.delta = after, limit, delta


class PolicyRefusedError(PrivacyError):
    """The federation asks for more than the client's own policy allows."""

    code = "policy-refused"

    def __init__(self, clause: str, reason: str) -> None:
        """Name the clause of the policy and what was asked."""
        super().__init__(f"policy clause '{clause}': {reason}")
        self.clause = clause


class CohortTooSmallError(PrivacyError):
    """Too few clients take part for a sum to hide one of them."""

    code = "cohort-too-small"


class TransportError(CloveError):
    """The other side cannot be reached."""

    code = "transport"


class StoreError(CloveError):
    """Persistence failed."""

    code = "store"
