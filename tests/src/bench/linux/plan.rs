//! Who is measured, from which side, and in which order: of each machine ours, then each Linux, and then again
//! from the start. What drifts on the host touches all of them alike.

use std::{fmt, time::Duration};

use super::{image::Image, system::System};
use crate::bench::{
    cell::{Machine, REVEILLE},
    measure::Task,
    plan,
    provenance::Provenance,
    results::{Header, Key},
};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The machines, and what of ours is measured on each.
    pub ours: plan::Plan,
    /// Who is measured beside us, and us.
    pub subjects: Vec<Subject>,
    /// How long a boot may take.
    pub limit: Duration,
}

/// A system, and the side from which a boot looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which Linux; `None` is us.
    pub linux: Option<System>,
    /// From where.
    pub view: View,
}

/// The side from which a boot is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As it is: our records, Linux's console.
    Plain,
    /// With QEMU's trace of the APICs.
    Outside,
    /// With Linux's trace of itself.
    Inside,
}

/// As in results.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.linux {
            Some(system) => write!(f, "{system}")?,
            None => f.write_str(REVEILLE)?,
        }
        f.write_str(self.view.behind())
    }
}

impl View {
    /// What it adds to a name.
    fn behind(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Outside => ", traced by QEMU",
            Self::Inside => ", traced by itself",
        }
    }
}

impl Subject {
    /// Who has this name in results.
    pub fn named(name: &str) -> Option<Self> {
        let views = [View::Outside, View::Inside, View::Plain].into_iter();
        let (system, view) = views
            .map(|view| (name.strip_suffix(view.behind()), view))
            .find_map(|(it, view)| Some((it?, view)))?;
        let linux = match system {
            REVEILLE => None,
            linux => Some(System::named(linux)?),
        };
        Some(Self { linux, view })
    }

    /// The same system from another side.
    pub fn seen(&self, view: View) -> Self {
        Self {
            view,
            ..self.clone()
        }
    }

    /// Us, and each of these kernels in each of its modes; with `traced` from all sides.
    pub fn all(images: &[Image], traced: bool) -> Vec<Self> {
        let linux = images.iter().flat_map(|image| {
            let modes = image.series.modes().iter();
            modes.map(|&mode| System {
                series: image.series,
                version: image.version.clone(),
                mode,
            })
        });
        let systems: Vec<_> = [None].into_iter().chain(linux.map(Some)).collect();
        let views: &[View] = match traced {
            true => &[View::Plain, View::Outside, View::Inside],
            false => &[View::Plain],
        };
        let subjects = views.iter().flat_map(|&view| {
            let systems = systems.iter().cloned();
            systems.map(move |linux| Self { linux, view })
        });
        // Our own trace is not Linux's.
        subjects
            .filter(|it| it.linux.is_some() || it.view != View::Inside)
            .collect()
    }
}

impl Plan {
    /// The header of the results.
    pub fn header(&self, provenance: Provenance) -> Header {
        Header {
            systems: self.subjects.iter().map(ToString::to_string).collect(),
            ..provenance.header(&self.ours, None)
        }
    }

    /// The boots of a header of [`header`](Self::header), in their order.
    pub fn tasks<'a>(&self, header: &'a Header) -> Vec<Task<'a>> {
        let keys = header.keys();
        keys.map(|key| Task {
            key,
            cost: self.cost(key),
        })
        .collect()
    }

    /// Who a key of such a header means.
    pub fn subject(&self, key: Key<'_>) -> Option<&Subject> {
        self.subjects.iter().find(|it| it.to_string() == key.system)
    }

    /// Rough, from boots under TCG on two CPUs of a host.
    fn cost(&self, key: Key<'_>) -> Duration {
        /// Linux unpacks itself and comes to its bring-up.
        const START: Duration = Duration::from_secs(5);
        /// The rest of a boot, which is waited for where it tells its own trace.
        const REST: Duration = Duration::from_secs(8);
        /// An AP, where those that wait do not spin.
        const AP: Duration = Duration::from_millis(6);
        let Some(Subject {
            linux: Some(_),
            view,
        }) = self.subject(key)
        else {
            return self.ours.costs().into_iter().max().unwrap_or_default();
        };
        let cpus = key.machine.smp.cpus();
        let rest = match view {
            View::Inside => REST + AP * 10 * cpus,
            View::Plain | View::Outside => Duration::ZERO,
        };
        START + AP * cpus + rest
    }
}

/// A machine for Linux, from one for us.
pub fn for_linux(machine: &Machine, words: &str) -> crate::qemu::machine::Machine {
    let mut machine = machine.qemu();
    // Its own words are for our kernel.
    words.clone_into(&mut machine.command_line);
    machine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(series: &str, version: &str) -> Image {
        Image {
            series: series.parse().expect("a series"),
            version: version.to_owned(),
            file: "vmlinuz".into(),
        }
    }

    #[test]
    fn each_system_is_seen_from_each_side_that_it_has() {
        let images = [
            image("6.12", "6.12.95-1~bpo12+1"),
            image("6.1", "6.1.176-1"),
        ];
        let names = |traced| -> Vec<String> {
            let subjects = Subject::all(&images, traced);
            subjects.iter().map(ToString::to_string).collect()
        };
        let plain = [
            "reveille",
            "linux-6.12.95 parallel",
            "linux-6.12.95 serial",
            "linux-6.1.176 serial",
        ];
        assert_eq!(names(false), plain);
        let all = names(true);
        assert_eq!(all[..4], plain);
        assert_eq!(all[4], "reveille, traced by QEMU");
        assert_eq!(
            all[8..],
            plain[1..]
                .iter()
                .map(|it| format!("{it}, traced by itself"))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn linux_has_its_own_words_and_our_machine() {
        let machine = Machine {
            words: "order=strict".to_owned(),
            memory: Some("1G".to_owned()),
            ..Machine::new(8)
        };
        let linux = for_linux(&machine, "console=ttyS0");
        assert_eq!(linux.command_line, "console=ttyS0");
        assert_eq!((linux.smp.cpus(), linux.memory), (8, Some("1G".to_owned())));
    }
}
