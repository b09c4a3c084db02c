"""Every key name, once. Scripts build the same names from the partition's tag, see ``scripts/_lib.lua``.

======================  =======================================================================================
``<tag>:m``             hash: sequence, fence, pauses (``pause:<lane>`` JSON, ``until:<lane>`` ms), drains (``drain:<lane>`` JSON),
                        length of the event log; in partition 0 also the store's version and its number of partitions
``<tag>:c``             hash: counters that only grow (``to:<state>``, ``duplicates``, ``refused``)
``<tag>:b``             hash: bytes counted for the events in each state, the sum of their ``sz``
``<tag>:lanes``         set of lane names ever used
``<tag>:r:<lane>``      ready jobs, score ``priority * 2**43 + ms``
``<tag>:l:<lane>``      leased jobs, score = expiry in ms; where there are many also a long member, see ``BELOW_LONG_MEMBER``
``<tag>:fences``        hash: the fence of each leased job, and whether its repository's cap counts it; the long member too
``<tag>:w:<lane>``      jobs waiting for a time, score = due in ms
``<tag>:g:<lane>:<rp>`` jobs of one repository over its cap, score as in the lane;  ``<tag>:held`` set: which of these there are
``<tag>:k:<lane>:<rp>`` set: leased jobs of one repository, while a cap is set
``<tag>:e:<state>``     events in a state, score = since when in ms
``<tag>:j:<job>``       record of an event or a task: its header and the newest lines of its timeline, see ``headers.py``
``<tag>:x:<event>``     hash: outside text about an event (title, subject, reason, error message)
``<tag>:p:<event>``     payload as received, deflated;  ``<tag>:f:<event>`` its diff, deflated
``<tag>:a:<task>``      answer, JSON;  ``<tag>:t:<task>`` list of attempts, JSON
``<tag>:v:<event>``     list: events that were made from this one with an edited payload
``<tag>:n:<event>``     decision, JSON;  ``<tag>:o:<event>`` action, JSON;  ``<tag>:h:<event>`` list: older lines of the timeline
``<tag>:i:<marker>``    fence of whoever may be publishing something with that marker; gone by itself
``<tag>:d:<day>``       hash: delivery ids of one day, with the event and when;  ``<tag>:s:<subject>`` newest head, ``id version``
``<tag>:ev``            stream: event log, an entry for all that a script had to say
``<tag>:q``             stream: quarantine;  ``<tag>:dn`` stream: decision ids
``<tag>:dl``            lock of the engine that exports dead letters: its token, gone by itself when it dies
``<tag>:dx``            hash: what was exported lately (since, count, files, file, engine);  ``<tag>:dt`` hash: why it failed
``<tag>:op:<op>``       hash: what came of a bulk operation here, and its fence;  ``<tag>:od:<op>`` list: what it is still to do;
                        ``<tag>:os:<op>`` list: what it skipped first, and why
``<tag>:mv:<lane>``     seats that were moved out of a lane by hand, score = when in ms
``<tag>:bell:<lane>``   list of at most one element: the lane has work that nobody was told of, see ``standing_claims.py``
``<tag>:wake``          channel: the name of a lane that has new work;  ``<tag>:lost`` channel: work in hand is not wanted any more
======================  =======================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STORE_VERSION = 2
"""Version of the layout above; an engine refuses a store that says otherwise."""

BELOW_LONG_MEMBER = "(9007199254740991"
"""Upper bound of a count of leases. The server keeps small sets as a list that it searches from end to end; one with a member of more
than 64 bytes is an index. So a claim of many adds such a long member, behind all expiries; without it a lease among a hundred costs the
server ten times as much."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names of one partition of a namespace. All of them share the tag and so one slot of a cluster."""

    namespace: str
    partition: int = 0

    @property
    def tag(self) -> str:
        """The hash tag every key starts with."""
        return f"{{{self.namespace}:{self.partition:02x}}}"

    @property
    def meta(self) -> str:
        return f"{self.tag}:m"

    @property
    def counters(self) -> str:
        return f"{self.tag}:c"

    @property
    def log(self) -> str:
        return f"{self.tag}:ev"

    @property
    def quarantine(self) -> str:
        return f"{self.tag}:q"

    @property
    def decisions(self) -> str:
        return f"{self.tag}:dn"

    @property
    def dead_exports(self) -> str:
        return f"{self.tag}:dx"

    @property
    def dead_trouble(self) -> str:
        return f"{self.tag}:dt"

    @property
    def wake(self) -> str:
        return f"{self.tag}:wake"

    @property
    def lost(self) -> str:
        """Channel on which is told that work in somebody's hand is not wanted any more."""
        return f"{self.tag}:lost"

    @property
    def fences(self) -> str:
        """Hash of the fences in force, by leased job."""
        return f"{self.tag}:fences"

    @property
    def lanes(self) -> str:
        return f"{self.tag}:lanes"

    def bell(self, lane: str) -> str:
        return f"{self.tag}:bell:{lane}"

    def ready(self, lane: str) -> str:
        return f"{self.tag}:r:{lane}"

    def leased(self, lane: str) -> str:
        return f"{self.tag}:l:{lane}"

    def waiting(self, lane: str) -> str:
        return f"{self.tag}:w:{lane}"

    def state(self, state: str) -> str:
        return f"{self.tag}:e:{state}"

    def job(self, job_id: str) -> str:
        return f"{self.tag}:j:{job_id}"

    def about(self, event_id: str) -> str:
        return f"{self.tag}:x:{event_id}"

    def payload(self, event_id: str) -> str:
        return f"{self.tag}:p:{event_id}"

    def diff(self, event_id: str) -> str:
        return f"{self.tag}:f:{event_id}"

    def answer(self, task_id: str) -> str:
        return f"{self.tag}:a:{task_id}"

    def attempts(self, task_id: str) -> str:
        return f"{self.tag}:t:{task_id}"

    def newest_head(self, subject: str) -> str:
        """Event and version of the newest head of a subject."""
        return f"{self.tag}:s:{subject}"

    def decision(self, event_id: str) -> str:
        return f"{self.tag}:n:{event_id}"

    def action(self, event_id: str) -> str:
        return f"{self.tag}:o:{event_id}"

    def timeline(self, event_id: str) -> str:
        return f"{self.tag}:h:{event_id}"

    def held(self, lane: str, repository: str) -> str:
        return f"{self.tag}:g:{lane}:{repository}"

    @property
    def held_index(self) -> str:
        return f"{self.tag}:held"

    @property
    def bytes_by_state(self) -> str:
        return f"{self.tag}:b"

    def edits(self, event_id: str) -> str:
        return f"{self.tag}:v:{event_id}"

    def deliveries(self, day: int) -> str:
        """Hash of the delivery ids of one day since the epoch."""
        return f"{self.tag}:d:{day}"

    def moved(self, lane: str) -> str:
        """Seats that were moved out of a lane by hand."""
        return f"{self.tag}:mv:{lane}"

    def bulk_sums(self, op_id: str) -> str:
        return f"{self.tag}:op:{op_id}"

    def bulk_todo(self, op_id: str) -> str:
        return f"{self.tag}:od:{op_id}"

    def bulk_skips(self, op_id: str) -> str:
        return f"{self.tag}:os:{op_id}"

    def bulk(self, op_id: str) -> str:
        """Hash: what a bulk operation is, who asked for it and which engine holds it; fleet-wide."""
        return f"{{{self.namespace}:ctl}}:bulk:{op_id}"

    @property
    def bulk_index(self) -> str:
        """Sorted set of the bulk operations that are kept, score = when planned in ms; fleet-wide."""
        return f"{{{self.namespace}:ctl}}:bulk"

    @property
    def bulk_number(self) -> str:
        """Number of the last bulk operation; fleet-wide."""
        return f"{{{self.namespace}:ctl}}:bulk-number"

    @property
    def restore_lock(self) -> str:
        """Who restores a backup, gone by itself; fleet-wide."""
        return f"{{{self.namespace}:ctl}}:restore"

    @property
    def saved_filters(self) -> str:
        """Hash of the filters operators saved, by name; fleet-wide."""
        return f"{{{self.namespace}:saved}}:filters"

    @property
    def engines(self) -> str:
        """Hash of the fleet's heartbeats, engine id to JSON; fleet-wide, so under a tag of its own."""
        return f"{{{self.namespace}:ctl}}:engines"

    @property
    def reconcile(self) -> str:
        """Hash of how far reconciling has come; fleet-wide."""
        return f"{{{self.namespace}:ctl}}:reconcile"

    @property
    def inbox(self) -> str:
        """Hash of what is known of the ways in beside the webhook; fleet-wide."""
        return f"{{{self.namespace}:ctl}}:inbox"

    @property
    def receivers(self) -> str:
        """Hash of the processes that receive webhooks, id to JSON; fleet-wide."""
        return f"{{{self.namespace}:ctl}}:receivers"

    def provider_board(self, provider: str) -> str:
        """Hash of what the fleet knows of a provider's health; fleet-wide."""
        return f"{{{self.namespace}:rl:{provider}}}:board"

    def provider_turns(self, provider: str) -> str:
        """Stream: what a provider's breaker did lately; fleet-wide. Scripts build it from the board's name."""
        return f"{self.provider_board(provider)}:turns"

    def provider_attempts(self, provider: str) -> str:
        """Stream: the newest calls to a provider; fleet-wide."""
        return f"{{{self.namespace}:metrics:{provider}}}:attempts"

    def provider_probe(self, provider: str) -> str:
        """Who in the fleet probes a provider; gone by itself."""
        return f"{{{self.namespace}:rl:{provider}}}:probe"

    def provider_look(self, provider: str) -> str:
        """Stands while an engine has looked at a provider lately; gone by itself."""
        return f"{{{self.namespace}:rl:{provider}}}:look"

    def batches(self, provider: str) -> str:
        """What the keys of a provider's batches begin with; fleet-wide. They stand in ``batches.py``."""
        return f"{{{self.namespace}:rl:{provider}}}:batch"

    def provider_budget(self, provider: str) -> str:
        """Hash of what a provider's calls cost today; fleet-wide."""
        return f"{{{self.namespace}:rl:{provider}}}:budget"

    def rate_limits(self, provider: str, model: str) -> str:
        """Hash of what the limits of a provider's model have left; fleet-wide."""
        return f"{{{self.namespace}:rl:{provider}}}:limits:{model}"

    def host(self, host: str) -> str:
        """Tag of what the fleet shares about a code host; its keys stand in ``host_board.py``."""
        return f"{{{self.namespace}:host:{host}}}"

    @property
    def cache(self) -> str:
        """Tag of the answer cache; fleet-wide. Its keys stand in ``answer_cache.py``."""
        return f"{{{self.namespace}:cache}}"

    @property
    def diffs(self) -> str:
        """Tag of the cache of diffs; fleet-wide, kept as the answer cache is."""
        return f"{{{self.namespace}:diffs}}"

    @property
    def outcomes(self) -> str:
        """Tag of what operators made of findings; fleet-wide. Its keys stand in ``outcomes.py``."""
        return f"{{{self.namespace}:outcomes}}"

    @property
    def alerts(self) -> str:
        """Tag of the alerts; fleet-wide. Their keys stand in ``alert_book.py``."""
        return f"{{{self.namespace}:alerts}}"

    @property
    def audit(self) -> str:
        """Stream: the chain of operators' writes; fleet-wide. What stands beside it is named in ``journal.py``."""
        return f"{{{self.namespace}:audit}}:chain"


def partition_of(job_id: str, count: int) -> int:
    """Number of the partition a job lives in: the last two hex digits of its event's id. What is no id is looked for in the first."""
    try:
        return int(job_id[8:10], 16) % count
    except ValueError:
        return 0


def home_of(job_id: str, partitions: Sequence[Keys]) -> Keys:
    """The keys of the partition a job lives in."""
    return partitions[partition_of(job_id, len(partitions))]


def expand_id(word: str) -> str:
    """Full job id of what an operator typed: leading zeros may be left out (``1a00`` → ``0000001a00``, ``1a00.2`` too)."""
    event_id, dot, seat = word.strip().lower().partition(".")
    return event_id.zfill(10) + dot + seat
