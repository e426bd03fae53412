"""Republish the Nostr configuration documents of an operator's machines, from Python.

One file without a package of its own: copy it into LNbits and add ``temporalio`` (see requirements.txt). A migration
script then needs one line::

    events = await republish_operator_configs(operator.id)

Where Temporal is comes from the environment, as for every Temporal client: TEMPORAL_ADDRESS (default localhost:7233),
TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS*, or a profile (TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE).
REPUBLISH_TASK_QUEUE must be what the workers have; both default to ``republish-operator-configs``.

Also a command, with the exit codes of ``republish start``::

    python republish_operator_configs.py <operator>
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import json
import logging
import os
import shlex
import sys
import time
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, TerminatedError
from temporalio.exceptions import TimeoutError as TimedOutError
from temporalio.service import RPCError

__all__ = ["RepublishFailed", "TemporalUnavailable", "republish_operator_configs"]

# Wire format, as in contract/names.ts.
WORKFLOW_TYPE = "republishOperatorConfigs"
WORKFLOW_ID_PREFIX = "republish-operator-configs/"
DEFAULT_TASK_QUEUE = "republish-operator-configs"

DEFAULT_ADDRESS = "localhost:7233"
CONNECT_TIMEOUT_S = 4.0
START_TIMEOUT_S = 10.0
SETTLE_S = 0.2

# A thread of the SDK may still be handing over an answer when the interpreter begins to shut down, and the process then
# aborts or hangs after the work was done (temporalio/sdk-python#300). A script that ends right after the call would meet
# that, so before the shutdown such a thread is given the time to finish.
atexit.register(time.sleep, SETTLE_S)

logger = logging.getLogger(__name__)


class RepublishFailed(Exception):
    """A run that did not end well. Nothing that was published is lost: calling again does only what is missing.

    type: the failure type, such as ``RepublishIncomplete``, ``OperatorNotFound``, ``SignerPubkeyMismatch`` or
        ``SignerTimeout`` (docs/errors.md has them all); ``Cancelled``, ``Terminated`` or ``TimedOut`` when the run was
        ended from outside; ``InvalidInput`` and ``AnotherRunGoesOn`` before anything was started
    message: what is wrong and what to do about it
    published: event ids by document type that stand although the run failed
    failures: the documents that could not be republished, at most 200, each
        ``{"documentType": str, "machineId": str, "machineName": str, "type": str, "message": str}``
    failed: how many documents failed, also those that ``failures`` has no room for
    """

    def __init__(
        self,
        type: str,
        message: str,
        published: dict[str, list[str]] | None = None,
        failures: list[dict[str, str]] | None = None,
        failed: int | None = None,
    ) -> None:
        super().__init__(type, message)
        self.type = type
        self.message = message
        self.published = published or {}
        self.failures = failures or []
        self.failed = len(self.failures) if failed is None else failed

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


class TemporalUnavailable(Exception):
    """Temporal could not be asked. The message names its address and what to do.

    started: True when Temporal was lost while waiting: the run continues, and calling again waits for it
    """

    def __init__(self, message: str, started: bool = False) -> None:
        super().__init__(message)
        self.started = started


async def republish_operator_configs(
    operator_user_id: str,
    *,
    document_types: Sequence[str] | None = None,
    machine_ids: Sequence[str] | None = None,
    expected_pubkey: str | None = None,
    force: bool = False,
    reset_counts: bool = False,
    reason: str | None = None,
    other_request: Literal["wait", "refuse", "attach"] = "wait",
    client: Client | None = None,
    task_queue: str | None = None,
) -> dict[str, list[str]]:
    """Republish every configuration document of an operator under the operator's current key, and wait for the end.

    May be called any number of times: while a run of the same request is running it attaches to that one, and published documents
    that have not changed are left alone and give the same ids. While a run of another request is running, it waits and starts
    after that one: the result of the other run could have fewer documents than this request, and look like success.

    It waits for as long as the run takes. Cancelling the task, or ``asyncio.wait_for``, ends the waiting and not the run;
    while it waits for the end of a run of another request, nothing is started then.

    Args:
        operator_user_id: ``accounts.id`` of the operator.
        document_types: Only these, such as ``["bitspire-fees"]``. Default: all.
        machine_ids: Only these ``dca_machines.id``. Default: all of the operator's.
        expected_pubkey: 64 lower-case hex characters. Unless this is the operator's current key, nothing is signed.
        force: Also sign documents that are published and unchanged, except those that set the counts of a machine.
        reset_counts: With ``force``, sign those too: ``bitspire-cassettes`` sets the counts of a machine.
        reason: Why, for the audit; at most 500 characters.
        other_request: While a run of another request is running: ``wait`` for its end, ``refuse`` (RepublishFailed of type
            ``AnotherRunGoesOn``), or ``attach`` to it knowingly: the result is then that run's.
        client: A connected client. Default: one that connects as the environment says.
        task_queue: Default: REPUBLISH_TASK_QUEUE, else ``republish-operator-configs``.

    Returns:
        Event ids (64 hex characters) by document type, in machine order::

            {"bitspire-cassettes": ["5c83...", "e1d0..."], "bitspire-fees": ["90ab...", "77f2..."]}

    Raises:
        RepublishFailed: Documents could not be republished (type ``RepublishIncomplete``; ``published`` says which stand)
            or the run could not begin, or was not started.
        TemporalUnavailable: Temporal cannot be reached (known within 5 s), refuses the call, or was lost while waiting.
    """
    given: dict[str, Any] = {
        "operatorUserId": operator_user_id,
        "documentTypes": None if document_types is None else list(document_types),
        "machineIds": None if machine_ids is None else list(machine_ids),
        "expectedPubkey": expected_pubkey,
        "force": True if force else None,
        "resetCounts": True if reset_counts else None,
        "reason": reason,
    }
    request = {key: value for key, value in given.items() if value is not None}
    _require_ids(request)
    if client is None:
        client = await _connect()
    queue = task_queue or os.environ.get("REPUBLISH_TASK_QUEUE", "").strip() or DEFAULT_TASK_QUEUE
    while True:
        handle = await _start_or_attach(client, operator_user_id, request, queue)
        differs, begun_at = await _compare(client, handle, request)
        if not differs or other_request == "attach":
            return await _result(client, handle, differs)
        facts = f"its request: {'; '.join(differs)}; begun at {begun_at}; run {handle.result_run_id}"
        if other_request == "refuse":
            raise RepublishFailed(
                "AnotherRunGoesOn",
                f"a run of another request is running ({facts}); nothing was started. "
                + _remedy("AnotherRunGoesOn", operator_user_id),
            )
        logger.info("waits for the end of a run of another request (%s)", facts)
        await _until_ended(client, handle)


async def _result(client: Client, handle: WorkflowHandle[Any, Any], differs: list[str]) -> dict[str, list[str]]:
    """The result of the run, whether it was started here or attached to."""
    another = f", of another request (its request: {'; '.join(differs)})" if differs else ""
    logger.info("waiting for %s (run %s)%s", handle.id, handle.result_run_id, another)
    try:
        events: dict[str, list[str]] = await handle.result()
    except WorkflowFailureError as error:
        raise _as_republish_failed(error.cause, handle.id.removeprefix(WORKFLOW_ID_PREFIX)) from error
    except RPCError as error:
        raise _lost(client, f"waiting for {handle.id}", error, started=True) from error
    except asyncio.CancelledError:
        logger.info("detached; the run continues. The same call waits for it again.")
        raise
    if not any(events.values()):
        logger.warning(
            "nothing is published: the operator has no machines, or they have nothing to publish. "
            "To see where they are looked for: republish plan %s",
            handle.id.removeprefix(WORKFLOW_ID_PREFIX),
        )
    return events


async def _until_ended(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """Waits for the end of a run of somebody else, however that is."""
    try:
        await handle.result()
    except WorkflowFailureError:
        pass
    except RPCError as error:
        raise _lost(client, f"waiting for the end of {handle.id}", error, started=False) from error
    except asyncio.CancelledError:
        logger.info("no longer waiting: nothing was started, and the other run continues.")
        raise


def _lost(client: Client, doing: str, error: RPCError, started: bool) -> TemporalUnavailable:
    address = client.service_client.config.target_host
    what = "The run continues; call again to wait for it" if started else "Nothing was started; call again"
    return TemporalUnavailable(f"Temporal at {address} was lost while {doing} ({error.message}). {what}", started)


async def _start_or_attach(
    client: Client, operator_user_id: str, request: dict[str, Any], task_queue: str
) -> WorkflowHandle[Any, Any]:
    try:
        return await client.start_workflow(
            WORKFLOW_TYPE,
            request,
            id=f"{WORKFLOW_ID_PREFIX}{operator_user_id}",
            task_queue=task_queue,
            # One run at a time for each operator; any earlier one may be followed by another.
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"Republish the configuration documents of operator {operator_user_id}",
            rpc_timeout=timedelta(seconds=START_TIMEOUT_S),
        )
    except RPCError as error:
        raise TemporalUnavailable(
            f"Temporal at {client.service_client.config.target_host} (namespace {client.namespace}) did not take the start "
            f"({error.message}). Check TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and the server, then call again"
        ) from error


async def _compare(
    client: Client, handle: WorkflowHandle[Any, Any], request: dict[str, Any]
) -> tuple[list[str], str]:
    """In what the run was asked something else than ``request``, and when it began."""
    run = client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    try:
        started = await run.fetch_history_events(page_size=1).__anext__()
    except RPCError as error:
        raise _lost(client, f"asking for {handle.id}", error, started=True) from error
    try:
        payloads = started.workflow_execution_started_event_attributes.input.payloads
        theirs = (await client.data_converter.decode(payloads))[0]
    except Exception:  # another client's codec
        theirs = None
    return _differences(theirs, request), started.event_time.ToJsonString()


# How what is asked is told, by its key: where it is given, and where it is left out. As in rules/same-request.ts, and
# held to the same examples (test/vectors/same-request.json).
_WORDS = {
    "operatorUserId": ("operator {}", "no operator"),
    "operators": ("operators {}", "no operators by name"),
    "all": ("all operators", "not all operators"),
    "operatorsAtOnce": ("{} at a time", "the default number at a time"),
    "documentTypes": ("document types {}", "all document types"),
    "machineIds": ("machines {}", "all machines"),
    "expectedPubkey": ("expected key {}", "no expected key"),
    "force": ("force", "no force"),
    "resetCounts": ("counts are reset", "counts are not reset"),
    "onFailure": ("failed documents hold the run", "failed documents are reported"),
}
_DEFAULTS = {"all": False, "force": False, "resetCounts": False, "onFailure": "report"}
_MAX_NAMED, _MAX_SHOWN = 5, 40


def _differences(theirs: Any, ours: dict[str, Any]) -> list[str]:
    """In what the request of a run differs from ours, as it asks it; empty: it is the same request.

    Neither the reason matters, nor the order of lists, nor whether a default is written out.
    """
    if not isinstance(theirs, dict):
        return ["a request that cannot be read"]
    one, other = _essence(theirs), _essence(ours)
    return [_told(key, one.get(key)) for key in sorted({*one, *other}) if one.get(key) != other.get(key)]


def _essence(request: dict[str, Any]) -> dict[str, Any]:
    return {
        key: sorted(set(value)) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value
        for key, value in request.items()
        if key != "reason" and value is not None and value != _DEFAULTS.get(key)
    }


def _told(key: str, value: Any) -> str:
    given, left_out = _WORDS.get(key, (f"{_text(key)} {{}}", f"no {_text(key)}"))
    return left_out if value is None else given.format(_names(value))


def _names(value: Any) -> str:
    if not isinstance(value, list):
        return _text(value)
    more = f" and {len(value) - _MAX_NAMED} more" if len(value) > _MAX_NAMED else ""
    return ", ".join(_text(entry) for entry in value[:_MAX_NAMED]) + more


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return f"{text[:_MAX_SHOWN]}…" if len(text) > _MAX_SHOWN else text


def _require_ids(request: dict[str, Any]) -> None:
    """The rule of rules/ids.ts, before anything is started: other ids are of nobody."""
    ids = [("operatorUserId", request.get("operatorUserId"))]
    ids += [(f"machineIds: entry {n}", machine) for n, machine in enumerate(request.get("machineIds", []), 1)]
    for name, given in ids:
        why = _why_no_id(given)
        if why is not None:
            raise RepublishFailed(
                "InvalidInput",
                f"{name} must be 1 to {_MAX_ID} characters without blanks or control characters: {_shown(given)} {why}. "
                + _remedy("InvalidInput"),
            )


_MAX_ID = 200


def _why_no_id(given: Any) -> str | None:
    if not isinstance(given, str):
        return "is no text"
    if given == "":
        return "is empty"
    # As JavaScript counts them.
    length = len(given.encode("utf-16-le", "surrogatepass")) // 2
    if length > _MAX_ID:
        return f"has {length} characters"
    kinds = {unicodedata.category(character) for character in given}
    if kinds & {"Zs", "Zl", "Zp"} or set(given) & set("\t\n\v\f\r\ufeff"):
        return "has a blank"
    return "has a control character" if kinds & {"Cc", "Cf", "Cs"} else None


def _shown(given: Any) -> str:
    if not isinstance(given, str):
        return json.dumps(given)[:60]
    return json.dumps(given[:60]) + ("…" if len(given) > 60 else "")


async def _connect() -> Client:
    """Connect as TEMPORAL_ADDRESS and its companions say, or raise TemporalUnavailable within 5 s."""
    try:
        config = ClientConfig.load_client_connect_config()
    except Exception as error:
        raise TemporalUnavailable(
            f"Temporal's client configuration cannot be used: {error}. "
            "Correct TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE or the file that it names"
        ) from error
    address = config.setdefault("target_host", DEFAULT_ADDRESS)
    try:
        return await asyncio.wait_for(Client.connect(**config), CONNECT_TIMEOUT_S)
    except (asyncio.TimeoutError, RuntimeError, ValueError, OSError, RPCError) as error:
        # Until Python 3.11 this timeout is not the built-in TimeoutError.
        late = isinstance(error, asyncio.TimeoutError)
        reason = f"no answer within {CONNECT_TIMEOUT_S:g} s" if late else str(error)
        raise TemporalUnavailable(
            f"Temporal cannot be reached at {address}: start it, or set TEMPORAL_ADDRESS to where it is ({reason})"
        ) from error


def _as_republish_failed(thrown: BaseException, operator_user_id: str) -> RepublishFailed:
    type, reason = _failure_of_run(thrown)
    cause = _behind_activity(thrown)
    details = _details(cause)
    # A failure of the workers has its remedy in its message already.
    is_of_worker = isinstance(cause, ApplicationError) and cause.type == type
    message = cause.message if is_of_worker else f"{reason}. {_remedy(type, operator_user_id)}"
    return RepublishFailed(type, message, details.get("published"), details.get("failures"), details.get("failed"))


def _failure_of_run(thrown: BaseException) -> tuple[str, str]:
    """The failure type and the reason of a run that failed. As in rules/run-end.ts, and held to the same examples
    (test/vectors/run-failures.json)."""
    cause = _behind_activity(thrown)
    if isinstance(cause, CancelledError):
        return "Cancelled", "the run was cancelled"
    if isinstance(cause, TerminatedError):
        # The message is the reason of the person who terminated it.
        return "Terminated", "the run was terminated" + (f": {cause.message}" if cause.message else "")
    if isinstance(cause, TimedOutError):
        if cause is thrown:
            return "TimedOut", "the run did not end within the time it was given"
        return "ActivityTimeout", "a step did not end within its time limit"
    if isinstance(cause, ApplicationError):
        if cause.type in EXIT_CODES:
            return cause.type, str(_details(cause).get("reason") or cause.message)
        return "Unexpected", cause.message
    return "Unexpected", str(cause)


def _behind_activity(error: BaseException) -> BaseException:
    while isinstance(error, ActivityError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _details(cause: BaseException) -> dict[str, Any]:
    first = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    return first if isinstance(first, dict) else {}


def _remedy(type: str, operator_user_id: str | None = None) -> str:
    text = REMEDIES[type]
    return text if operator_user_id is None else text.replace("<operator>", shlex.quote(operator_user_id))


# Exit codes that no failure has. 2 (usage) is argparse's own.
EXIT_OK, EXIT_INTERRUPTED = 0, 130

# Generated by `npm run docs:errors` from contract/catalogue/: change that.
EXIT_CODES = {
    "PlanOutdated": 1,
    "StateChanged": 1,
    "StateInvalid": 1,
    "StateTooLarge": 1,
    "MachineKeyInvalid": 1,
    "NewerDocumentExists": 1,
    "NotAttempted": 1,
    "GivenUp": 1,
    "Interrupted": 1,
    "Unexpected": 1,
    "SignerNotConfigured": 4,
    "SignerPubkeyMismatch": 4,
    "SignerUnlockFailed": 4,
    "SignerUnreadable": 4,
    "SignerTimeout": 4,
    "SignerUnreachable": 4,
    "SignerRefused": 4,
    "SignerBusy": 4,
    "SignerPending": 4,
    "SignerApprovalPending": 4,
    "SignerReturnedWrongEvent": 4,
    "SignerChangesEvents": 4,
    "SignerCannotEncrypt": 4,
    "DocumentLost": 1,
    "RelayQuorumNotReached": 1,
    "RelayThrottled": 1,
    "RelayRefused": 1,
    "DatabaseUnavailable": 5,
    "DatabaseMisconfigured": 5,
    "SourceUnavailable": 5,
    "SourceMisconfigured": 5,
    "SuperConfigMissing": 1,
    "LedgerIncomplete": 3,
    "SequenceBehind": 1,
    "AuditChanged": 1,
    "WorkerOutdated": 1,
    "ClockWrong": 1,
    "ActivityTimeout": 1,
    "RunStuck": 1,
    "WorkerHangs": 1,
    "NoWorker": 1,
    "NoWorkerOfRelease": 1,
    "WorkerSilent": 1,
    "TemporalUnavailable": 5,
    "TemporalRefused": 5,
    "NamespaceNotFound": 5,
    "SearchAttributesWrong": 5,
    "InvalidInput": 5,
    "OperatorNotFound": 5,
    "MachineNotFound": 5,
    "UnknownDocumentType": 5,
    "ResultTooLarge": 1,
    "RepublishIncomplete": 3,
    "Cancelled": 1,
    "Terminated": 1,
    "TimedOut": 1,
    "RunNotFound": 5,
    "AuditNotFound": 5,
    "AnotherRunGoesOn": 1,
    "ControlRefused": 1,
    "ConfigurationError": 5,
    "DataFolderUnusable": 5,
    "UsageError": 2,
    "SecretRefused": 2,
}
REMEDIES = {
    "Unexpected": (
        "Read the worker log of the same run. If the error stays, report it."
    ),
    "ActivityTimeout": (
        "Check that workers are running on the task queue, and read their log. Then start again, or if the "
        "run holds: republish retry <operator>."
    ),
    "TemporalUnavailable": (
        "Start Temporal, or set TEMPORAL_ADDRESS (and TEMPORAL_TLS_*, TEMPORAL_API_KEY) to the right server, "
        "and try again."
    ),
    "InvalidInput": (
        "Correct the input as the message says and start again; nothing was changed."
    ),
    "RepublishIncomplete": (
        "Correct what the failures name, then start again: only what is missing is done."
    ),
    "Cancelled": (
        "Start again: only what is missing is done."
    ),
    "Terminated": (
        "If the run has no audit row, write it first: republish end <operator>. Correct what kept the run "
        "from continuing, then start again: only what is missing is done. Events that were sent before may "
        "stand: republish verify <operator>."
    ),
    "TimedOut": (
        "Start again without an execution timeout: only what is missing is done."
    ),
    "AnotherRunGoesOn": (
        "Leave --no-wait out to wait for its end, follow that run with --attach, or end it with: republish "
        "cancel <operator>; then start again."
    ),
}
# End of the generated part.


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: the map as JSON on stdout, messages on stderr. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Republishes an operator's documents under the operator's current key and waits for the end.",
        epilog="exit codes: 0 done, 1 failed or refused, 2 usage, 3 partly done (stdout has what stands), 4 signer, "
        "5 could not begin: operator, machine, document type, input, database or Temporal",
    )
    parser.add_argument("operator", help="the operator's user id (accounts.id in LNbits)")
    parser.add_argument("--document-type", nargs="+", action="extend", help="only these document types")
    parser.add_argument("--machine", nargs="+", action="extend", help="only these machines")
    parser.add_argument("--expected-pubkey", help="end before signing unless this is the current key (hex)")
    parser.add_argument("--reason", help="why, for the audit")
    parser.add_argument("--force", action="store_true", help="also sign documents that are published and unchanged")
    parser.add_argument(
        "--reset-counts", action="store_true", help="with --force: also documents that set what a machine counts itself"
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--no-wait", action="store_true", help="refuse while a run of another request is running")
    other.add_argument("--attach", action="store_true", help="follow the running run, also if it has another request")
    options = parser.parse_args(arguments)
    other_request: Literal["wait", "refuse", "attach"] = (
        "attach" if options.attach else "refuse" if options.no_wait else "wait"
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO)
    try:
        events = asyncio.run(
            republish_operator_configs(
                options.operator,
                document_types=options.document_type,
                machine_ids=options.machine,
                expected_pubkey=options.expected_pubkey,
                force=options.force,
                reset_counts=options.reset_counts,
                reason=options.reason,
                other_request=other_request,
            )
        )
    except RepublishFailed as error:
        if error.type == "RepublishIncomplete":
            print(json.dumps(error.published, indent=2))
        for failure in error.failures:
            machine = "{machineName} ({machineId})" if failure.get("machineName") else "{machineId}"
            text = "{documentType} of machine " + machine + ": {type}: {message}"
            print(text.format(**failure), file=sys.stderr)
        if error.failed > len(error.failures):
            print(f"and {error.failed - len(error.failures)} more; see: republish audit", file=sys.stderr)
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODES[error.type]
    except TemporalUnavailable as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODES["TemporalUnavailable"]
    except KeyboardInterrupt:
        # What that means for the run was said where it was waited for.
        return EXIT_INTERRUPTED
    print(json.dumps(events, indent=2))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
