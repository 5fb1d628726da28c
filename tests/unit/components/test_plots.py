"""Plots as the UI shows them."""

from packaging_assets.components.plots import plots_in


def test_each_plot_of_the_folder_is_shown_under_its_name_and_nothing_else_is(tmp_path):
    (tmp_path / "pr_curve.svg").write_text("<svg/>")
    (tmp_path / "live_pr_auc.png").write_bytes(b"\x89PNG")
    (tmp_path / "metrics.json").write_text("{}")
    assert {name: plot.md_str for name, plot in plots_in(tmp_path).items()} == {
        "live_pr_auc": "![live_pr_auc](data:image/png;base64,iVBORw==)",
        "pr_curve": "![pr_curve](data:image/svg+xml;base64,PHN2Zy8+)",
    }
