//! Joining results that several hosts, or several times, have measured of one plan.

use std::fmt;

use super::{Difference, Header, Key, Results, Run};
use crate::bench::provenance;

/// Results of several files.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// What they are results of: the header of the first file, for the whole plan, with the command for that.
    pub header: Header,
    /// The boots of all, in the order of the plan. One that was measured on another host than the first file's
    /// names it.
    pub runs: Vec<Run>,
    /// Boots that several files have as ok, of which the first is kept.
    pub duplicates: Vec<String>,
    /// Boots of the plan that no file has as ok.
    pub missing: Vec<String>,
}

/// Fields of the headers that say when, where and of which part, and the digest of the image, which
/// depends on where a host builds it.
pub const MAY_DIFFER: &[&str] = &["started", "command", "host", "shard", "kernel"];

/// A file whose results do not go with those of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// Which of the files, from 0.
    pub file: usize,
    /// In what: `here` is the first file.
    pub difference: Box<Difference>,
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { field, .. } = &*self.difference;
        let [here, there] = self.difference.in_words();
        write!(
            f,
            "its `{field}` is {there}, and that of the first file is {here}"
        )
    }
}

impl std::error::Error for Differs {}

/// Joins files whose headers agree but for what [may differ](MAY_DIFFER).
///
/// # Errors
///
/// Two of them do not agree: what they measured is not to be compared.
///
/// # Panics
///
/// When there are none.
pub fn merge(files: Vec<Results>) -> Result<Merged, Differs> {
    let first = files.first().expect("there is a file").header.clone();
    for (number, file) in files.iter().enumerate() {
        if let Some(difference) = first.difference(&file.header, MAY_DIFFER) {
            return Err(Differs {
                file: number,
                difference: Box::new(difference),
            });
        }
    }
    let mut merged = Merged {
        header: Header {
            shard: None,
            command: provenance::of_whole(&first.command),
            ..first
        },
        runs: Vec::new(),
        duplicates: Vec::new(),
        missing: Vec::new(),
    };
    for file in files {
        let Results { header, runs, .. } = file;
        for mut run in runs {
            if run.host.is_none() && header.host != merged.header.host {
                run.host = Some(Box::new(header.host.clone()));
            }
            merged.add(run);
        }
    }
    merged.sort();
    merged.missing = merged.find_missing();
    Ok(merged)
}

impl Merged {
    /// Of several of one boot, one that is ok counts, and of those the first.
    fn add(&mut self, run: Run) {
        let twin = self.runs.iter_mut().find(|other| other.key() == run.key());
        match twin {
            None => self.runs.push(run),
            Some(twin) if !twin.is_ok() => *twin = run,
            Some(_) if run.is_ok() => self.duplicates.push(run.key().to_string()),
            Some(_) => {}
        }
    }

    /// Puts the boots in the order in which one host would have measured them; what the plan does not have comes
    /// last, as it came.
    fn sort(&mut self) {
        let order: Vec<String> = self.header.keys().map(|key| key.to_string()).collect();
        let place = |run: &Run| {
            let key = run.key().to_string();
            order.iter().position(|it| *it == key)
        };
        self.runs
            .sort_by_cached_key(|run| place(run).unwrap_or(order.len()));
    }

    fn find_missing(&self) -> Vec<String> {
        let is_there = |key: &Key<'_>| {
            let mut ok = self.runs.iter().filter(|run| run.is_ok());
            ok.any(|run| run.key() == *key)
        };
        let keys = self.header.keys().filter(|key| !is_there(key));
        keys.map(|key| key.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Outcome, tests::header, tests::run},
        *,
    };
    use crate::bench::host::Host;

    fn file(shard: &str, runs: Vec<Run>) -> Results {
        let mut header = header();
        header.shard = Some(shard.parse().expect("it is one"));
        header.command += &format!(" --shard {shard}");
        Results {
            runs,
            ..Results::new(header)
        }
    }

    #[test]
    fn parts_become_a_whole_in_which_each_boot_is_once() {
        let mut failed = run(8, 2);
        failed.outcome = Outcome::Failed("no".to_owned());
        let one = file("1/2", vec![run(2, 1), run(2, 2), failed.clone()]);
        let mut two = file("2/2", vec![run(8, 1), run(8, 2), run(2, 1), failed]);
        let other = Host {
            cpus: 99,
            ..two.header.host.clone()
        };
        two.header.host = other.clone();
        let merged = merge(vec![one.clone(), two]).expect("they agree");
        assert_eq!(merged.header, header());
        let keys = merged
            .runs
            .iter()
            .map(|run| (run.machine.smp.cpus(), run.run));
        assert!(keys.eq([(2, 1), (8, 1), (2, 2), (8, 2)]));
        assert!(merged.runs.iter().all(Run::is_ok));
        assert_eq!(merged.duplicates, ["q35 tcg 2, run 1"]);
        assert_eq!(merged.missing, [""; 0]);
        let hosts: Vec<_> = merged.runs.iter().map(|run| run.host.as_deref()).collect();
        assert_eq!(hosts, [None, Some(&other), None, Some(&other)]);
        let part = merge(vec![one]).expect("one agrees with itself");
        assert_eq!(part.missing, ["q35 tcg 8, run 1", "q35 tcg 8, run 2"]);
    }

    #[test]
    fn what_was_measured_of_another_build_or_plan_does_not_go_with_it() {
        let one = file("1/2", vec![run(2, 1)]);
        type Change = fn(&mut Header);
        let changes: [(&str, Change); 5] = [
            ("reveille", |it| it.reveille = "0.2.0".to_owned()),
            ("qemu", |it| it.qemu = "11.0.0".to_owned()),
            ("rounds", |it| it.rounds += 1),
            ("strategies", |it| it.strategies.truncate(1)),
            ("plan", |it| it.plan.truncate(1)),
        ];
        for (field, change) in changes {
            let mut two = file("2/2", vec![]);
            change(&mut two.header);
            let differs = merge(vec![one.clone(), two]).expect_err(field);
            assert_eq!((&*differs.difference.field, differs.file), (field, 1));
            assert!(differs.to_string().contains(field), "{differs}");
        }
        let mut later = file("2/2", vec![]);
        later.header.started = "2026-11-23T00:00:00Z".to_owned();
        later.header.kernel = "crc32 0".to_owned();
        assert!(merge(vec![one, later]).is_ok());
    }
}
