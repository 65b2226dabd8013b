"""Where Leeway's intervals of time are not Alertmanager's."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.config.alerting import Alerting
from tests.services.alertmanager import ask

BERLIN = ZoneInfo("Europe/Berlin")


def test_the_last_day_of_a_month_in_which_clocks_go_forward_is_its_last() -> None:
    last = {"name": "last day", "time_intervals": [{"days_of_month": ["-1"], "location": "Europe/Berlin"}]}
    route = {"receiver": "r", "routes": [{"mute_time_intervals": ["last day"]}]}
    document = {"route": route, "receivers": [{"name": "r"}], "time_intervals": [last]}
    noons = [datetime(2026, month, day, 12, tzinfo=BERLIN) for month in (1, 3) for day in (30, 31)]
    times = [round(noon.timestamp() * 1000) for noon in noons]

    alerting = Alerting.model_validate(document)
    [child] = alerting.route.build().routes
    assert [child.muted(alerting.intervals, at) != "" for at in times] == [False, True, False, True]
    # Alertmanager divides March's 743 hours by 24.
    [said] = ask([{"config": json.dumps(document), "alerts": [{}], "times": times}])
    assert said["routes"][0][0]["muted"] == [False, True, True, False]
