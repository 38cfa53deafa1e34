//! Panels as SVG, with `plotters`.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::points::{Point, runs, smooth, thin};
use super::{Curves, LARGEST, Panel, Series, SeriesStyle};

/// Subpixels per pixel of the picture: `plotters` draws at integer coordinates, and subpixels make lines smooth. All
/// other lengths are in pixels of the picture.
const PX: u32 = 4;
const WIDTH: u32 = 960;
const TITLE_HEIGHT: u32 = 44;
const HEAD_HEIGHT: u32 = 28;
const PANEL_HEIGHT: u32 = 270;
const GRID: RGBColor = RGBColor(225, 225, 225);
const INK: RGBColor = RGBColor(60, 60, 60);

/// Okabe and Ito's palette, which is distinguishable with most kinds of color blindness.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// The picture of all panels.
pub(super) fn draw(curves: &Curves) -> String {
    let mut svg = String::new();
    let height = TITLE_HEIGHT + PANEL_HEIGHT * curves.panels.len() as u32;
    let root = SVGBackend::with_string(&mut svg, (WIDTH * PX, height * PX)).into_drawing_area();
    // Writing to a string cannot fail.
    let _ = draw_all(curves, &root);
    drop(root);
    let size = |px| format!("width=\"{}\" height=\"{}\"", WIDTH * px, height * px);
    svg.replacen(&size(PX), &size(1), 1)
}

/// A text style with its size in pixels. `plotters` renders letters 1.24 times smaller.
fn text<'a>(size: u32) -> TextStyle<'a> {
    let font = ("sans-serif", f64::from(size * PX) * 1.24).into_font();
    TextStyle::from(font).color(&INK).pos(Pos::new(HPos::Left, VPos::Center))
}

fn at(x: i32, y: i32) -> (i32, i32) {
    (x * PX as i32, y * PX as i32)
}

fn draw_all(curves: &Curves, root: &Area) -> Drawn {
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(TITLE_HEIGHT * PX);
    head.draw(&Text::new(curves.title.as_str(), at(24, TITLE_HEIGHT as i32 / 2 + 2), text(18)))?;
    let series = || curves.panels.iter().flat_map(|panel| &panel.series);
    let last = series().filter_map(|s| s.points.last()).map(|&(step, _)| step).max().unwrap_or(0);
    for (panel, area) in curves.panels.iter().zip(body.split_evenly((curves.panels.len().max(1), 1))) {
        draw_panel(panel, last, &area)?;
    }
    root.present()
}

fn draw_panel(panel: &Panel, last: u64, area: &Area) -> Drawn {
    let (head, body) = area.split_vertically(HEAD_HEIGHT * PX);
    draw_head(panel, &head)?;
    let values: Vec<f64> = panel
        .series
        .iter()
        .flat_map(|series| &series.points)
        .map(|&(_, value)| value)
        .filter(|value| value.abs() <= LARGEST)
        .collect();
    let (x, y) = (Axis::steps(last), value_axis(panel, &values));
    let mut chart = ChartBuilder::on(&body)
        .margin_left(8 * PX)
        .margin_right(28 * PX)
        .x_label_area_size(44 * PX)
        .y_label_area_size(76 * PX)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID.stroke_width(PX))
        .light_line_style(TRANSPARENT)
        .axis_style(INK.stroke_width(PX))
        .label_style(text(13))
        .axis_desc_style(text(13))
        .set_all_tick_mark_size(4 * PX)
        .x_desc("step")
        .draw()?;
    if values.is_empty() {
        let (width, height) = body.dim_in_pixel();
        return body.draw(&Text::new("no values yet", (width as i32 / 2, height as i32 / 2), text(15)));
    }
    for (series, colour) in panel.series.iter().zip(COLORS.iter().cycle()) {
        draw_series(series, *colour, last as f64, &mut chart)?;
    }
    Ok(())
}

/// The title of a panel on the left and the names of its series on the right.
fn draw_head(panel: &Panel, head: &Area) -> Drawn {
    let middle = HEAD_HEIGHT as i32 / 2;
    head.draw(&Text::new(panel.title.as_str(), at(84, middle), text(15)))?;
    let mut right = WIDTH as i32 - 28;
    let series: Vec<_> = panel.series.iter().zip(COLORS.iter().cycle()).collect();
    for (series, colour) in series.into_iter().rev() {
        // SVG does not report text widths, so this estimates them for letters of this size.
        let start = right - 7 * series.label.chars().count() as i32 - 6;
        head.draw(&Text::new(series.label.as_str(), at(start, middle), text(13)))?;
        match series.style {
            SeriesStyle::Points => {
                head.draw(&Circle::new(at(start - 13, middle), 4 * PX, colour.filled()))?;
            }
            SeriesStyle::Line | SeriesStyle::Smoothed => {
                let line = vec![at(start - 24, middle), at(start - 6, middle)];
                head.draw(&PathElement::new(line, colour.stroke_width(3 * PX)))?;
            }
        }
        right = start - 40;
    }
    Ok(())
}

fn value_axis(panel: &Panel, values: &[f64]) -> Axis {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match panel.range {
        Some((low, high)) if low < high => Axis::values(low, high, true),
        _ if values.is_empty() => Axis::values(0.0, 1.0, true),
        _ if panel.log_if_wide && low > 0.0 && high / low > 1000.0 => Axis::logarithmic(low, high),
        _ => Axis::values(low, high, false),
    }
}

fn draw_series(series: &Series, colour: RGBColor, last: f64, chart: &mut Chart) -> Drawn {
    let raw = runs(&series.points);
    match series.style {
        SeriesStyle::Line => draw_line(&raw, colour.stroke_width(2 * PX), last, chart),
        SeriesStyle::Smoothed => {
            draw_line(&raw, colour.mix(0.3).stroke_width(PX), last, chart)?;
            draw_line(&smooth(&raw), colour.stroke_width(2 * PX), last, chart)
        }
        SeriesStyle::Points => {
            draw_line(&raw, colour.mix(0.5).stroke_width(PX), last, chart)?;
            let all: Vec<Point> = raw.concat();
            draw_marks(&thin(&all, last, 100), colour, chart)
        }
    }
}

/// Lines through runs of points. Isolated points are drawn as marks.
fn draw_line(runs: &[Vec<Point>], style: ShapeStyle, last: f64, chart: &mut Chart) -> Drawn {
    let columns = WIDTH as usize;
    for run in runs {
        if run.len() == 1 {
            draw_marks(run, style.color, chart)?;
        } else {
            chart.draw_series(LineSeries::new(thin(run, last, columns), style))?;
        }
    }
    Ok(())
}

fn draw_marks(points: &[Point], colour: impl Color, chart: &mut Chart) -> Drawn {
    let marks = points.iter().map(|&point| Circle::new(point, 4 * PX, colour.filled()));
    chart.draw_series(marks).map(drop)
}
