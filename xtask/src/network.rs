//! The test network of `tests/network`, for the demo: started, filled, and gone when the value is dropped.

use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::process::{Group, Lines, Outcome};
use crate::project::Project;

/// Two PDSes on a busy computer take their time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Running servers on loopback.
#[derive(Debug)]
pub(crate) struct Network {
    facts: Value,
    // The servers end when their standard input closes, and when nobody reads what they say.
    _lines: Lines,
    _lifeline: Option<ChildStdin>,
    _servers: Group,
}

impl Network {
    /// Starts the servers with their state in `folder`, and returns when all of them answer.
    pub(crate) fn start(project: &Project, folder: &Path) -> Outcome<Self> {
        let mut up = project.command_in("tests/network", "node");
        up.arg("up.mjs")
            .arg("--dir")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut servers = Group::start("the test network", &mut up)?;
        let lines = Lines::of(servers.take_stdout());
        let lifeline = servers.take_stdin();
        let line = lines.first("the test network", PATIENCE)?;
        let facts = serde_json::from_str(&line).map_err(|error| format!("the test network said {line:?}: {error}"))?;
        Ok(Self {
            facts,
            _lines: lines,
            _lifeline: lifeline,
            _servers: servers,
        })
    }

    /// One of the addresses that the network announced. Errors: it announced none of that name.
    pub(crate) fn address(&self, name: &str) -> Outcome<&str> {
        let found = self.facts.get(name).and_then(Value::as_str);
        found.ok_or_else(|| format!("the test network announced no \"{name}\"").into())
    }

    /// What points a program of ours at this network instead of the real one.
    pub(crate) fn environment(&self) -> Outcome<Vec<(&'static str, String)>> {
        let resolver = self.address("resolver")?;
        Ok(vec![
            ("SKYKEEP_PLC_URL", self.address("plc")?.to_owned()),
            ("SKYKEEP_HANDLE_RESOLVER", resolver.to_owned()),
            // There is neither here; without these a program of ours would ask the real ones.
            ("SKYKEEP_APPVIEW_URL", format!("{resolver}/no-appview")),
            ("SKYKEEP_RELAY_URL", format!("{resolver}/no-relay")),
            ("SKYKEEP_LOOPBACK_HTTP", "1".to_owned()),
        ])
    }
}
