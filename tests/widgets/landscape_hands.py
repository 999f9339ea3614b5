"""What plotly tells a landscape view when somebody clicks or drags, and what is drawn in a trace."""

from types import SimpleNamespace

import numpy as np


def click(figure, name, place, tree=0):
    """What plotly calls when a leaf is clicked."""
    index = figure._places[f"{tree} {name}"]
    figure._clicked(figure.data[index], SimpleNamespace(point_inds=[place], trace_index=index), None)


def drag(figure, y0, y1):
    """What plotly sends when the line of the cut was dragged."""
    figure._dragged({"new": {"relayout_data": {"shapes[0].x0": 0.1, "shapes[0].y0": y0, "shapes[0].y1": y1}}})


def line(figure, name, tree=0):
    trace = figure.data[figure._places[f"{tree} {name}"]]
    return np.stack([trace.x, trace.y], axis=1)
