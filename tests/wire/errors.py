"""Discord's API errors: one exception for all, and the collector for "Invalid Form Body" (50035)."""

from typing import Any

Json = dict[str, Any]
Path = tuple[str | int, ...]


class ApiError(Exception):
    """An error response of the REST API: HTTP status, Discord's code and message."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> Json:
        """The JSON that Discord answers with."""
        body: Json = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


# Status, code and message as documented by Discord under "JSON error codes".
REASONS = {
    "unauthorized": (401, 0, "401: Unauthorized"),
    "not_found": (404, 0, "404: Not Found"),
    "unknown_channel": (404, 10003, "Unknown Channel"),
    "unknown_guild": (404, 10004, "Unknown Guild"),
    "unknown_member": (404, 10007, "Unknown Member"),
    "unknown_message": (404, 10008, "Unknown Message"),
    "unknown_user": (404, 10013, "Unknown User"),
    "unknown_webhook": (404, 10015, "Unknown Webhook"),
    "unknown_interaction": (404, 10062, "Unknown interaction"),
    "unknown_command": (404, 10063, "Unknown application command"),
    "old_edits": (429, 30046, "Maximum number of edits to messages older than 1 hour reached. Try again later"),
    "too_many_followups": (400, 40094, "This interaction has reached the maximum number of follow-ups"),
    "too_large": (413, 40005, "Request entity too large"),
    "acknowledged": (400, 40060, "Interaction has already been acknowledged."),
    "missing_access": (403, 50001, "Missing Access"),
    "not_the_author": (403, 50005, "Cannot edit a message authored by another user"),
    "empty_message": (400, 50006, "Cannot send an empty message"),
    "missing_permissions": (403, 50013, "Missing Permissions"),
    "invalid_token": (401, 50027, "Invalid Webhook Token"),
    "archived": (400, 50083, "Thread is archived"),
    "bad_json": (400, 50109, "The request body contains invalid JSON."),
    "has_thread": (400, 160004, "A thread has already been created for this message"),
}


def api_error(reason: str) -> ApiError:
    """The error of that name in `REASONS`, ready to be raised."""
    return ApiError(*REASONS[reason])


class FormErrors:
    """Collects the errors of a request body, each at its path, as error 50035 lists them."""

    def __init__(self, *prefix: str | int) -> None:
        self._prefix = prefix
        self.errors: Json = {}

    def add(self, path: Path, code: str, message: str) -> None:
        """Add one error at `path`."""
        node = self.errors
        for key in (*self._prefix, *path):
            node = node.setdefault(str(key), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def length(self, path: Path, value: str | list[Any] | None, most: int, least: int = 0) -> None:
        """The text or list must have `least` to `most` characters or items."""
        if value is None or least <= len(value) <= most:
            return
        if least and not value:
            self.add(path, "BASE_TYPE_REQUIRED", "This field is required")
        elif least:
            wording = f"Must be between {least} and {most} in length."
            self.add(path, "BASE_TYPE_BAD_LENGTH", wording)
        else:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")

    def required(self, path: Path, value: object) -> None:
        """The field must be present and not empty."""
        if value is None or value == "":
            self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def close(self) -> None:
        """Raise `ApiError` 50035 if there is any error."""
        if self.errors:
            raise ApiError(400, 50035, "Invalid Form Body", self.errors)
