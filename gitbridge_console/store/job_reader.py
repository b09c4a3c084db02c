"""Read-only views of the lanes: what is leased, ready, held and waiting, in windows and by search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from gitbridge_console.domain.event_views import EventSummary, JobSummary
from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.windows import Bookmark, SearchStep, Window
from gitbridge_console.store.decision_reader import AT_ONCE, DecisionReader
from gitbridge_console.store.headers import read_spread
from gitbridge_console.store.merged_sets import END, Entry, MergedSets
from gitbridge_console.store.replies import server_now_ms, text_of

PLACES = ("leased", "ready", "held", "waiting")
"""The order of a listing: what is being worked on, then what is claimed next."""

Places = dict[str, dict[str, str]]
"""By place: the lane of each sorted set, by its key."""


class JobReader(DecisionReader):
    """Jobs of lanes, over all partitions."""

    async def list_jobs(self, lanes: Iterable[str], limit: int = 200) -> list[JobSummary]:
        """What is leased, ready, held and waiting in lanes: being worked on first, then in the order of claiming."""
        return list((await self.job_window(lanes, 0, limit)).rows)

    async def job_window(self, lanes: Iterable[str], first: int, count: int, follow: str = "") -> Window[JobSummary]:
        """Jobs from place ``first`` on, in that order; ``follow`` asks where a job stands now."""
        places = await self._places(lanes)
        lists = [MergedSets(self._client, list(places[place])) for place in PLACES]
        totals = [await merged.total() for merged in lists]
        found: list[tuple[str, Entry]] = []
        for place, merged, total, end in zip(PLACES, lists, totals, accumulate(totals), strict=True):
            start = max(0, first - (end - total))
            if start < total and len(found) < count:
                found += [(place, entry) for entry in await merged.window(start, min(total - start, count - len(found)))]
        followed = await self._follow(follow, places, lists, totals) if follow else None
        return Window(tuple(job for job, _, _ in await self._jobs(places, found)), first, sum(totals), followed)

    async def _follow(self, job_id: str, places: Places, lists: Sequence[MergedSets], totals: Sequence[int]) -> int | None:
        home, before = self._of(job_id).tag, 0
        for place, merged, total in zip(PLACES, lists, totals, strict=True):
            at = await merged.place_of({key: job_id.encode() for key in places[place] if key.startswith(home)})
            if at is not None:
                return before + at
            before += total
        return None

    async def job_search(self, lanes: Iterable[str], wanted: EventFilter, bookmark: Bookmark, count: int) -> SearchStep[JobSummary]:
        """Look at about ``count`` more jobs. A job matches when its event does; ``provider`` is asked of the job's own lane."""
        places = await self._places(lanes)
        lists = {place: MergedSets(self._client, list(places[place])) for place in PLACES}
        found: list[tuple[str, Entry]] = []
        marks, at_end, looked = dict(bookmark.places), True, 0
        for place, merged in lists.items():
            if looked >= count:
                at_end = False
                break
            entries, after = await merged.after(Bookmark({key: marks[key] for key in places[place] if key in marks}), count - looked)
            found += [(place, entry) for entry in entries]
            looked += len(entries)
            marks |= after.places if after else dict.fromkeys(places[place], END)
            if after is not None:
                at_end = False
                break
        total = sum([await merged.total() for merged in lists.values()])
        rows = [job for job, event, lane in await self._jobs(places, found) if event and wanted.matches(event, (lane,))]
        seen = bookmark.looked + looked
        return SearchStep(tuple(rows), seen, max(total, seen), None if at_end else Bookmark(marks, seen))

    async def _places(self, lanes: Iterable[str]) -> Places:
        names = set(lanes)
        places: Places = {place: {} for place in PLACES}
        for keys in self._partitions:
            for lane in names:
                places["leased"][keys.leased(lane)] = lane
                places["ready"][keys.ready(lane)] = lane
                places["waiting"][keys.waiting(lane)] = lane
            for member in await self._client.smembers(keys.held_index):
                lane, _, repository = text_of(member).partition(" ")
                if lane in names:
                    places["held"][keys.held(lane, repository)] = lane
        return places

    async def _jobs(self, places: Places, found: Sequence[tuple[str, Entry]]) -> list[tuple[JobSummary, EventSummary | None, str]]:
        """Each job with the event it belongs to and its lane; those that are gone by now are left out."""
        now, out = await server_now_ms(self._client), []
        for start in range(0, len(found), AT_ONCE):
            part = found[start : start + AT_ONCE]
            ids = [text_of(entry.name) for _, entry in part]
            headers = await read_spread(self._client, self._of, ids)
            events = list(dict.fromkeys(job_id.partition(".")[0] for job_id in ids))
            known = {summary.id: summary for summary, _ in await self.summaries(events, now)}
            for (place, entry), job_id in zip(part, ids, strict=True):
                if header := headers[job_id]:
                    lane, event = places[place][entry.key], known.get(job_id.partition(".")[0])
                    out.append((_summary(job_id, lane, place, entry.score, header, event, now), event, lane))
        return out


def _summary(job_id: str, lane: str, place: str, score: float, header: dict[str, str], event: EventSummary | None, now: int) -> JobSummary:
    return JobSummary(
        id=job_id,
        event_id=job_id.partition(".")[0],
        lane=lane,
        place=place,
        priority=priority_of(header),
        age_s=event.age_s if event else 0.0,
        due_in_s=round((score - now) / 1000, 1) if place == "waiting" else None,
        tries=int(header.get("ca", header.get("dv", 0))),
        kind=event.kind if event else "",
        repository=event.repository if event else "",
        subject=event.subject if event else "",
    )


def priority_of(header: dict[str, str]) -> str:
    """The priority class a header names."""
    try:
        return Priority(int(header.get("pr", Priority.NORMAL))).label
    except ValueError:
        return header["pr"]
