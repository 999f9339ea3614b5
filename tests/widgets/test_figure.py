"""What all plots of a page have in common: they come back, they stay at home, and they are read on a dark page."""

import re
from importlib import resources
from itertools import count

import numpy as np
from labkit_widgets import curves
from labkit_widgets.figure import Figure
from labkit_widgets.phase_diagram_drawing import INK
from labkit_widgets.phase_diagram_map import PlainFigure


def test_a_page_that_comes_later_is_told_what_the_figure_shows_now():
    figure = Figure({"xaxis": {"range": [0, 1]}}, [{"type": "scatter", "x": [], "y": []}])
    with figure.batch_update():
        figure.data[0].x, figure.data[0].y = np.arange(3.0), np.array([2.0, 5.0, 4.0])
        figure.layout.xaxis.range = (0, 2)
    state = figure.get_state()
    (trace,) = state["_widget_data"]
    assert np.frombuffer(trace["y"]["buffer"]).tolist() == [2, 5, 4]
    assert list(state["_widget_layout"]["xaxis"]["range"]) == [0, 2]
    # Its messages belong to pages that were there: a new one would take the last of each kind for news.
    assert not [name for name, value in state.items() if name.startswith("_py2js_") and value is not None]
    figure.close()


def test_a_thread_that_writes_meanwhile_does_not_keep_the_page_waiting():
    figure, calls = Figure({}, [{"type": "scatter", "x": [1], "y": [2]}]), count()

    class Busy(dict):
        def items(self):
            if next(calls) < 2:
                raise RuntimeError("dictionary changed size during iteration")
            return super().items()

    figure._data[0] = Busy(figure._data[0])
    assert figure.get_state()["_widget_data"][0]["y"] == [2]
    assert next(calls) > 2
    figure.close()


def test_no_figure_offers_to_send_itself_away_and_two_clicks_leave_a_phase_diagram_alone():
    figure = Figure({}, [])
    plain = PlainFigure({}, {"line": {}}, {"line": {"x": [], "y": []}}, "css")
    for one in (figure, plain):
        assert (one._config["showSendToCloud"], one._config["plotlyServerURL"]) == (False, "")
        one.close()
    assert plain._config["doubleClick"] is False


def test_the_style_sheets_know_the_colours_that_they_replace_on_a_dark_page():
    for sheet, colour in (("labkit.css", curves._GREY), ("phase_diagram.css", INK)):
        text = resources.files("labkit_widgets").joinpath(f"static/{sheet}").read_text(encoding="utf-8")
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        assert re.search(rf'\[style\*="fill: rgb\({red}, {green}, {blue}\)"\]', text)
