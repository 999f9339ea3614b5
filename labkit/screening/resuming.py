"""Taking up a campaign where an earlier attempt at it was left: everything is in its rows."""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING

from labkit.screening.intake import read_list
from labkit.screening.journal import PHASES

if TYPE_CHECKING:
    from labkit.screening.campaign import Campaign

FAR = 1 << 30


def take_up(campaign: Campaign) -> None:
    """Put every candidate of `campaign` where its rows say it is; those that could not be read fail here."""
    at = array("q", [0]) * campaign.total
    for line in campaign.journal.earlier():
        item, stage = int(line["candidate"]), int(line["stage"])
        if stage < at[item]:
            continue
        if campaign.plan[stage].gathers:
            campaign.judged.setdefault(stage, set()).add(item)
            campaign.values_before[item] = campaign.values.get(item, "{}")
        if int(line["frame"]) >= 0:
            campaign.frames[item] = int(line["frame"])
        at[item] = stage + 1 if line["verdict"] == "passed" else FAR
        cost = float(line["cpu_s"]), float(line["wall_s"])
        campaign.advance(item, stage, line["verdict"], json.loads(line["values"]), *cost)
    for line in campaign.waiting:
        line.clear()  # filled again below, in the order of the candidates
    faults = {int(line["candidate"]): line["fault"] for line in read_list(campaign.folder) if line["fault"]}
    for item in range(campaign.total):
        if at[item] == 0 and item in faults:
            campaign.keep({**campaign.blank(item), "verdict": "failed", "reason": faults[item]}, 0)
        elif at[item] < len(campaign.plan):
            campaign.waiting[at[item]].append(item)
    for line in campaign.journal.earlier(PHASES):
        said = {"name": line["name"], "verdict": line["verdict"], "reason": line["reason"]}
        campaign.phases.take_up(int(line["phase"]), {**said, "values": json.loads(line["values"])})
