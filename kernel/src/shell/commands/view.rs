//! `watch`: the live view.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::Errand;
use crate::{
    command_line::Terminal,
    shell::{
        context::Context,
        jobs::Outcome,
        line::Key,
        watch::{Viewer, watch, watch_plain},
    },
};

pub(super) async fn run(context: &'static Context, mut errand: Errand) -> Outcome {
    let (cpus, timer) = (context.cpus(), context.timer());
    match context.options.terminal {
        Terminal::Ansi => watch(cpus, timer, &mut errand)
            .await
            .map_err(|error| error.to_string()),
        Terminal::Plain => {
            watch_plain(cpus, timer, &mut errand).await;
            Ok(())
        }
    }
}

impl Viewer for Errand {
    async fn key(&mut self) -> Option<Key> {
        // Before the keys that wait: whoever holds one down can interrupt it too.
        if self.interruption.is_asked() {
            return None;
        }
        self.interruption.unless(self.keys.next()).await
    }

    fn jobs(&self) -> Vec<String> {
        self.jobs.others(self.id)
    }
}
