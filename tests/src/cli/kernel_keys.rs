//! What one can say to the kernel by `--append`, for a person who asks xtask.
//!
//! The keys stand in the kernel's own order, and a scenario compares them with those that the kernel
//! names; what each value means is the kernel's to say.

use anyhow::{Result, bail};

/// What the kernel takes on its command line, and what each key does. The kernel's own list, with
/// all values, is in its answer to a key that it does not know.
pub const KERNEL_KEYS: &[(&str, &str)] = &[
    (
        "bringup",
        "strategy: parallel, broadcast, two-pass, serial or legacy",
    ),
    (
        "order",
        "serialised steps: lowest (living first), or strict (all lower first)",
    ),
    ("bench", "then measure so many rounds of every strategy"),
    (
        "strategies",
        "who takes part in that, as a list of strategies and bare, floor; all, as a rule",
    ),
    (
        "model",
        "take the times of a published machine on the way up: skylake-112",
    ),
    (
        "probe",
        "marks for a hypervisor's log, and what it makes of IPIs: 0, 1, or firecracker",
    ),
    (
        "round-trips",
        "then so many round trips to a CPU that halts or polls, beside a bare ping-pong",
    ),
    (
        "ipi",
        "then measure calls between all pairs of CPUs: matrix, or matrix:N for N calls each",
    ),
    (
        "calls",
        "then make so many calls from all CPUs to all CPUs, and account for each",
    ),
    (
        "stop",
        "then stop the machine so many times, from CPUs at random",
    ),
    ("cycle", "then take all APs down and up so many times"),
    (
        "do",
        "then do this with CPUs, such as offline:1-3 or states; several times, in order",
    ),
    (
        "torture",
        "then do random things with CPUs, which call each other, for so many seconds",
    ),
    (
        "seed",
        "what these, and a model's answers, are drawn from, to repeat them",
    ),
    (
        "call-limit",
        "milliseconds until a call that is not answered is told of",
    ),
    (
        "alive-timeout",
        "milliseconds that an AP may take to show that it lives",
    ),
    (
        "online-timeout",
        "milliseconds that an AP may take from alive to online",
    ),
    (
        "head-start",
        "milliseconds that the lowest AP may go ahead of all others at boot; 50 under TCG, else 0",
    ),
    ("init-delay", "microseconds between INIT and SIPI"),
    ("maxcpus", "bring up at most so many CPUs, CPU 0 included"),
    (
        "cpus",
        "bring up only the CPUs with these numbers, such as 1-3,5",
    ),
    (
        "possible",
        "slots for so many CPUs, CPU 0 included; disabled ones get what is left; with hotplug=on all have one",
    ),
    (
        "smt",
        "threads of a core that are woken: on for all of them, off for one",
    ),
    (
        "hotplug",
        "whether CPUs that are added are brought up: on, or off; on where the kernel stays",
    ),
    (
        "require",
        "CPUs that must run for success: all, a number with CPU 0, or any",
    ),
    (
        "madt",
        "where the list of CPUs comes from: firmware, or module (see --module)",
    ),
    (
        "wake",
        "by which way they are woken: init-sipi, mailbox, or auto for a mailbox if there is one",
    ),
    (
        "attempts",
        "how often the bring-up is tried while a CPU that is down is missing",
    ),
    (
        "consistency",
        "whether APs are compared with CPU 0 and set right: on, or off",
    ),
    (
        "report",
        "what more is told: cpu shows where each sits and what was set right",
    ),
    (
        "trace",
        "whether every event is noted and told: on, off, or so many an AP are kept",
    ),
    (
        "fault",
        "how a CPU is to fail, as 3:silent or 3:late=500, or to differ, as 3:pat; several times",
    ),
    (
        "after",
        "what follows the report: exit, halt to idle, or shell",
    ),
    (
        "terminal",
        "what a shell's terminal can do: ansi, or plain for pipes and the like",
    ),
    (
        "columns",
        "how wide the tables may be, from 20 to 500; run says it of a terminal",
    ),
    (
        "bars",
        "each CPU's way up as a bar in the table: off, blocks or ascii; run says it too",
    ),
    (
        "colour",
        "whether the tables have colours: off, or on; run says it too",
    ),
    (
        "test",
        "a fault to bring about, such as panic-ap or hang; several times",
    ),
];

/// The help of the option `--append`.
pub(super) fn append_help() -> String {
    let mut text = "The kernel's command line; may be given several times\n".to_owned();
    for (key, meaning) in KERNEL_KEYS {
        text += &format!("\n  {:<16}{meaning}", format!("{key}="));
    }
    text + "\n\nTo a wrong value the kernel answers with those of its key, to a wrong key with all keys."
}

/// Whether `word` is a key of the kernel's with a value, in place of an option of ours.
pub(super) fn is_kernel_word(word: &str) -> bool {
    let key = word.split_once('=').map(|(key, _)| key);
    KERNEL_KEYS.iter().any(|(known, _)| key == Some(*known))
}

/// The value of the option `--append`. A key that the kernel does not know costs no boot; what the values may be
/// is the kernel's to say.
pub(super) fn kernel_words(text: String) -> Result<String> {
    for word in text.split_ascii_whitespace() {
        let Some((key, _)) = word.split_once('=') else {
            continue;
        };
        // Those of the firmware, and what hypervisors add by themselves, pass the kernel by.
        if !key.starts_with("firmware.") && !OF_VMMS.contains(&word) {
            is_known(key)?;
        }
    }
    Ok(text)
}

/// Looks whether the kernel knows a key.
///
/// # Errors
///
/// It does not; the nearest one that it does know is named.
pub(super) fn is_known(key: &str) -> Result<()> {
    let likeness = |known: &str| strsim::jaro_winkler(known, key);
    let keys = KERNEL_KEYS.iter().map(|(known, _)| *known);
    let nearest = keys.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|known| likeness(known) > LIKE) {
        Some(known) if known == key => Ok(()),
        Some(known) => bail!("the kernel has no key `{key}`; there is one called `{known}`"),
        None => bail!("the kernel has no key `{key}`; `cargo xtask run --help` has them all"),
    }
}

/// Words that hypervisors add by themselves: the kernel's own list.
const OF_VMMS: &[&str] = &["pci=off"];

/// Keys that are more alike than that may be meant, as clap has it for options.
const LIKE: f64 = 0.7;

/// The help of the option `--firmware`: what the firmware of the tests takes from `--append`.
pub(super) const FIRMWARE_HELP: &str = "\
Start the kernel by a firmware of the tests. It gives the kernel a MADT, which madt=module makes it
take; that key is added where it is not there. Words for the firmware, by --append:

  firmware.mailbox=0|1       version of the mailbox: 1, as a rule, has a reset vector
  firmware.deaf=APIC_ID      this AP never looks at the mailbox
  firmware.slow=APIC_ID:MS   this one acknowledges a request only that much later
  firmware.swallow=APIC_ID   this one lets its own request pass, and takes the next one, of another

All but the first may be given several times, for different APs.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hypervisors_add_is_what_the_kernel_lets_pass() {
        assert_eq!(OF_VMMS, reveille_kernel::command_line::OF_VMMS);
    }

    #[test]
    fn each_key_of_the_kernel_is_known() {
        for (key, _) in KERNEL_KEYS {
            is_known(key).expect("it is the kernel's own");
        }
    }

    #[test]
    fn a_key_that_the_kernel_does_not_have_is_refused_with_the_nearest_one() {
        for good in [
            "",
            "bench=nine cycle=2",
            "quiet",
            "pci=off firmware.deaf=3",
            "columns=80",
        ] {
            let text = kernel_words(good.to_owned()).expect("the kernel's to judge");
            assert_eq!(text, good);
        }
        for (wrong, hint) in [
            (
                "bench=3 bnech=9",
                "no key `bnech`; there is one called `bench`",
            ),
            ("color=on", "one called `colour`"),
            ("xyzzy=1", "run --help"),
        ] {
            let error = kernel_words(wrong.to_owned()).expect_err(wrong).to_string();
            assert!(error.contains(hint), "{wrong}: {error}");
        }
    }
}
