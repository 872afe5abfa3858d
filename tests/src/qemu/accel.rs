//! Which accelerator works here.
//!
//! That `/dev/kvm` opens does not mean that our kernel really runs on it: some devices interpret
//! the guest's code, tens of times slower than TCG, and give up on instructions they do not know.
//! So `auto` boots the kernel once on a small machine, and remembers the answer until kernel,
//! QEMU, machine or host change.

use std::{
    fs, io,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::Result;

use super::machine::{Accel, Chipset, Machine};
use crate::{guest::Guest, kernel::Kernel, outcome::Outcome, setup::qemu};

/// The device, opened for reading and writing by QEMU.
const DEVICE: &str = "/dev/kvm";

/// With hardware under it, KVM boots our kernel in a tenth of this; where it is so slow, it
/// interprets.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// The choice, and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What to use.
    pub accel: Accel,
    /// Why, for people.
    pub reason: String,
}

/// Chooses KVM where it works for this chipset and CPU model, else TCG. Keeps its knowledge in
/// `folder`.
pub fn choose(
    kernel: &Kernel,
    chipset: Chipset,
    cpu: Option<&str>,
    folder: &Path,
) -> Result<Choice> {
    let trouble = match device_opens() {
        Ok(()) => probe_once(kernel, &probe_machine(chipset, cpu), folder)?,
        Err(error) => Some(format!("{DEVICE} does not open: {error}")),
    };
    Ok(match trouble {
        None => Choice {
            accel: Accel::Kvm,
            reason: "our kernel runs on it".to_owned(),
        },
        Some(trouble) => Choice {
            accel: Accel::Tcg,
            reason: trouble.replace('\n', "; "),
        },
    })
}

/// Whether the device is there for us.
pub fn device_opens() -> io::Result<()> {
    let device = fs::OpenOptions::new().read(true).write(true).open(DEVICE);
    device.map(drop)
}

fn probe_machine(chipset: Chipset, cpu: Option<&str>) -> Machine {
    let mut machine = Machine::new(2).chipset(chipset).accel(Accel::Kvm);
    machine.cpu = cpu.map(str::to_owned);
    machine
}

/// What keeps our kernel from running on KVM, from memory or by trying.
fn probe_once(kernel: &Kernel, machine: &Machine, folder: &Path) -> Result<Option<String>> {
    let key = key(kernel, machine)?;
    let path = folder.join(format!("kvm-{}", machine.chipset));
    if let Some((known, trouble)) = fs::read_to_string(&path).ok().as_deref().and_then(parse)
        && known == key
    {
        return Ok(trouble.map(str::to_owned));
    }
    eprintln!("xtask: {DEVICE} opens; trying whether our kernel runs on it");
    let trouble = match Guest::start(kernel, machine)?.run(PROBE_LIMIT)?.outcome {
        Outcome::Ok => None,
        Outcome::Hung(limit) => Some(format!(
            "on this host's KVM our kernel did not come to its end within {} s: TCG is faster; \
             --accel kvm takes it all the same",
            limit.as_secs_f64()
        )),
        other => Some(format!("our kernel does not run on KVM: {other}")),
    };
    fs::create_dir_all(folder)?;
    fs::write(
        &path,
        format!("{key}\n{}", trouble.as_deref().unwrap_or_default()),
    )?;
    Ok(trouble)
}

/// What the answer depends on, in one line.
fn key(kernel: &Kernel, machine: &Machine) -> Result<String> {
    let image = fs::metadata(kernel.image())?;
    let built = image.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    let qemu = qemu::version()?.map(|version| version.to_string());
    let host = rustix::system::uname();
    let host = host.release().to_string_lossy();
    let cpu = machine.cpu_model();
    Ok(format!("{built} {qemu:?} {host} {cpu} {machine:?}"))
}

/// The key, and below it the trouble, if any.
fn parse(text: &str) -> Option<(&str, Option<&str>)> {
    let (key, trouble) = text.split_once('\n')?;
    Some((key, Some(trouble).filter(|trouble| !trouble.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_answer_is_read_back() {
        assert_eq!(parse("key\n"), Some(("key", None)));
        assert_eq!(parse("key\nno\nend"), Some(("key", Some("no\nend"))));
        assert_eq!(parse("cut off"), None);
    }

    #[test]
    fn another_cpu_model_makes_another_machine() {
        let [plain, other] = [None, Some("qemu64")].map(|cpu| probe_machine(Chipset::Q35, cpu));
        assert_ne!(format!("{plain:?}"), format!("{other:?}"));
    }
}
