//! The bays of a machine, in which CPUs are plugged while it runs.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::guest::Guest;

/// A place in which a CPU sits, or may.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bay {
    /// QEMU's name for the device.
    r#type: String,
    /// Where the bay is, in the terms of the machine's topology.
    props: Map<String, Value>,
    /// The device that sits there.
    qom_path: Option<String>,
}

/// From the outermost level to the innermost.
const LEVELS: [&str; 5] = ["socket-id", "die-id", "module-id", "core-id", "thread-id"];

impl Bay {
    /// Whether a CPU sits there.
    pub fn is_taken(&self) -> bool {
        self.qom_path.is_some()
    }

    /// By this, bays are in the order of the APIC ids of their CPUs.
    fn place(&self) -> [u64; 5] {
        LEVELS.map(|level| self.props.get(level).and_then(Value::as_u64).unwrap_or(0))
    }
}

impl Guest<'_> {
    /// All bays, in the order of the APIC ids of their CPUs.
    pub fn bays(&mut self) -> Result<Vec<Bay>> {
        let answer = self.execute("query-hotpluggable-cpus", json!({}))?;
        let mut bays: Vec<Bay> = serde_json::from_value(answer).context("the bays")?;
        bays.sort_by_key(Bay::place);
        Ok(bays)
    }

    /// Plugs a CPU into the empty bay of this number, under this name.
    pub fn plug(&mut self, bay: usize, name: &str) -> Result<()> {
        self.plug_with(bay, name, Map::new())
    }

    /// The same of a CPU that has these properties.
    pub fn plug_with(
        &mut self,
        bay: usize,
        name: &str,
        properties: Map<String, Value>,
    ) -> Result<()> {
        let bays = self.bays()?;
        let Bay { r#type, props, .. } = bays.get(bay).context("there is no such bay")?;
        let mut arguments = props.clone();
        arguments.insert("driver".to_owned(), json!(r#type));
        arguments.insert("id".to_owned(), json!(name));
        arguments.extend(properties);
        self.execute("device_add", Value::Object(arguments))?;
        Ok(())
    }

    /// Asks the guest to let the CPU in the bay of this number go. It may take its time, or refuse. Once it has
    /// let it go, the bay is empty; QEMU's event `DEVICE_DELETED` does not come for a CPU under TCG.
    pub fn ask_back(&mut self, bay: usize) -> Result<()> {
        let bays = self.bays()?;
        let path = bays.get(bay).and_then(|bay| bay.qom_path.as_ref());
        let path = path.context("no CPU sits there")?;
        self.execute("device_del", json!({ "id": path }))?;
        Ok(())
    }

    /// Waits until the guest reports what came of an event of the bay of this number, by ACPI's `_OST`, and
    /// gives the source and the status.
    pub fn wait_for_report(&mut self, bay: usize, limit: Duration) -> Result<(u64, u64)> {
        let slot = bay.to_string();
        let event = self.wait_for_event(limit, |event| {
            event["event"] == "ACPI_DEVICE_OST" && event["data"]["info"]["slot"] == slot
        })?;
        let number = |field| event["data"]["info"][field].as_u64();
        let report = number("source").zip(number("status"));
        report.context("a report without numbers")
    }
}
