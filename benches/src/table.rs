//! What is printed.

/// Something to reach.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    what: String,
    found: f64,
    most: f64,
    unit: &'static str,
    /// Whether the project requires it now; if not, it aims for it.
    required: bool,
}

impl Goal {
    /// Must be at most `most` of `unit` now.
    pub(crate) fn required(most: f64, unit: &'static str, what: impl Into<String>, found: f64) -> Self {
        Self {
            what: what.into(),
            found,
            most,
            unit,
            required: true,
        }
    }

    /// Shall be at most `most` of `unit` in the end.
    pub(crate) fn aimed_for(most: f64, unit: &'static str, what: impl Into<String>, found: f64) -> Self {
        Self {
            required: false,
            ..Self::required(most, unit, what, found)
        }
    }

    fn row(&self) -> Vec<String> {
        let verdict = match (self.found <= self.most, self.required) {
            (true, _) => "reached",
            (false, true) => "NOT REACHED",
            (false, false) => "not yet",
        };
        let unit = self.unit;
        vec![
            self.what.clone(),
            format!("{:.3}{unit}", self.found),
            format!("{:.2}{unit}", self.most),
            verdict.to_owned(),
        ]
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

/// Prints all goals and whether they are reached: what is required now, and apart from it what is only aimed for.
pub(crate) fn print_goals(goals: &[Goal]) {
    let titles = [
        (true, "Required now: a change that misses one of these is not finished"),
        (false, "Aimed for in the end: nothing has to reach these yet"),
    ];
    for (required, title) in titles {
        let rows: Vec<_> = goals
            .iter()
            .filter(|goal| goal.required == required)
            .map(Goal::row)
            .collect();
        if !rows.is_empty() {
            print(title, &["what", "found", "at most", ""], &rows);
        }
    }
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
