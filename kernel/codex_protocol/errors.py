"""The one tree of errors; a branch is what a caller does differently.

    CodexError                 one clear sentence, fit to be shown to a person as it is
    ├── UsageError             the command line or an op is malformed: say so, exit 2
    ├── ConfigError            a setting cannot be used: names file, line and key; exit 1
    ├── CredentialError        no usable credential: names the ways to get one; exit 1
    ├── ModelError             the provider failed; the history stays valid
    │   ├── RetryableModelError    the same request may succeed later (`retry_after_s` when told)
    │   │   └── StreamClosed       the stream ended before the response was complete
    │   ├── ContextWindowExceeded  the input is too long: compact, then ask again
    │   └── UsageLimitReached      the account's limit is used up; retrying does not help
    ├── SandboxError           commands cannot be confined or started on this machine
    ├── PatchError             a patch cannot be parsed, matched or applied; the model can mend it
    ├── RolloutError           a thread on disk cannot be read, written or locked
    └── ThreadError            a thread is closed, unknown or busy
        └── ThreadEnded            it takes nothing any more; who resumes it can be asked the same

Facts are attributes, so that no caller parses a message.
"""


class CodexError(Exception):
    """Base of every error this project raises on purpose; `str(error)` is one sentence for a person."""


class UsageError(CodexError):
    """The command line or an op is malformed."""


class ConfigError(CodexError):
    """A setting cannot be used.

    Attributes:
        file: Where it stands; None for the command line.
        line: 1-based line in `file`, when known.
        key: Dotted key, when known.
    """

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, key: str | None = None
    ) -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.key = key


class CredentialError(CodexError):
    """No usable credential; the message names the ways to get one."""


class ModelError(CodexError):
    """The provider failed; retrying the same request does not help.

    Attributes:
        status: HTTP status, when there was a response.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RetryableModelError(ModelError):
    """The same request may succeed later.

    Attributes:
        retry_after_s: Seconds the provider asked us to wait; None when it did not say.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after_s = retry_after_s


class StreamClosed(RetryableModelError):
    """The stream ended before the response was complete."""


class ContextWindowExceeded(ModelError):
    """The input does not fit the model's context window."""


class UsageLimitReached(ModelError):
    """The account's limit is used up.

    Attributes:
        resets_in_s: Seconds until it is lifted; None when the provider did not say.
    """

    def __init__(self, message: str, *, status: int | None = None, resets_in_s: int | None = None) -> None:
        super().__init__(message, status=status)
        self.resets_in_s = resets_in_s


class SandboxError(CodexError):
    """Commands cannot be confined or started on this machine."""


class PatchError(CodexError):
    """A patch cannot be parsed, matched or applied; nothing was written unless the message says so."""


class RolloutError(CodexError):
    """A thread on disk cannot be read, written or locked."""


class ThreadError(CodexError):
    """A thread is closed, unknown or busy."""


class ThreadEnded(ThreadError):
    """A thread takes nothing any more; whoever resumes it can be asked the same."""
