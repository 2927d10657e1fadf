//! What is printed.

/// Something to reach.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    what: String,
    found: f64,
    most: f64,
    unit: &'static str,
}

impl Goal {
    /// At most `most` of `unit`.
    pub(crate) fn at_most(most: f64, unit: &'static str, what: impl Into<String>, found: f64) -> Self {
        Self {
            what: what.into(),
            found,
            most,
            unit,
        }
    }
}

/// Prints a table: the first column to the left, all others to the right.
pub(crate) fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n## {title}\n");
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cells = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    line(head.to_vec());
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(rules.iter().map(String::as_str).collect());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}

/// Prints all goals and whether they are reached.
pub(crate) fn print_goals(goals: &[Goal]) {
    let rows = goals.iter().map(|goal| {
        let reached = if goal.found <= goal.most {
            "reached"
        } else {
            "NOT REACHED"
        };
        let unit = goal.unit;
        vec![
            goal.what.clone(),
            format!("{:.3}{unit}", goal.found),
            format!("{:.2}{unit}", goal.most),
            reached.to_owned(),
        ]
    });
    print("Goals", &["what", "found", "at most", ""], &rows.collect::<Vec<_>>());
}

/// Seconds as milliseconds.
pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.0} ms", seconds * 1e3)
}

/// Bytes as MiB.
pub(crate) fn mebibytes(bytes: f64) -> String {
    format!("{:.0} MiB", bytes / f64::from(1 << 20))
}

/// Bytes as KiB.
pub(crate) fn kibibytes(bytes: f64) -> String {
    format!("{:.1} KiB", bytes / 1024.0)
}
