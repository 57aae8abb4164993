"""The figure of a whole task: nothing lies over the data, nothing is cut off, and it says what is true."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from anymdp_bench.rendering.task_figure import draw_task
from anymdp_bench.tasks.family import task_source

IDS = ["AnyMDP-1s5a-v0", "AnyMDP-64s5a-v0", "FrozenLake4x4Slippery-v0", "Switch2-v0"]


@pytest.fixture(scope="module", params=IDS)
def figure(request):
    """The figure of a task, drawn."""
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
        source = task_source(request.param)
        draw_task(source.sample(7), "task.png", request.param, source.grid())
    (found,) = drawn
    found.draw(FigureCanvasAgg(found).get_renderer())
    return found


def test_the_legend_lies_below_all_panels_and_names_all_that_is_drawn(figure):
    (legend,) = figure.legends
    panels = [axis.get_window_extent() for axis in figure.axes]
    assert legend.get_window_extent().y1 < min(panel.y0 for panel in panels)
    names = {text.get_text() for text in legend.get_texts()}
    assert {"start", "the oracle's visits", "V*"} <= names
    assert not any(axis.get_legend() for axis in figure.axes)


def test_nothing_is_cut_off(figure):
    for drawn in (*figure.axes, *figure.legends, *figure.texts):
        box = drawn.get_tightbbox()
        assert (box.min >= figure.bbox.min - 1).all(), drawn
        assert (box.max <= figure.bbox.max + 1).all(), drawn


def test_values_are_seen_and_the_end_of_a_joint_task_is_its_goal(figure):
    line = figure.axes[-1 if len(figure.axes) == 3 else 3].get_lines()[0]
    assert len(line.get_xdata()) > 1 or line.get_marker() != "None"
    names = {text.get_text() for text in figure.legends[0].get_texts()}
    title = figure.get_suptitle()
    assert ("Switch2" in title) <= ("goal" in names and "pitfall" not in names)
    assert ("AnyMDP-1s5a" in title) <= ("1 step;" in title)
