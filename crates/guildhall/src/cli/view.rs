//! Shows a deal as it happens: a bar for each batch where a person watches, else a line for each step that matters.
//!
//! Speaks on standard error only. Knows nothing of where the events come from.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use alloy::primitives::Address;
use guildhall_api::{Outcome, ProgressEvent, ProgressStep};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::{
    output::{Out, Style},
    requester::progress::{BatchProgress, DealProgress, describe},
    values::{short, show_odds},
};

/// The most bars on a screen; further batches are told by lines.
const BARS_MAX: u32 = 12;

/// A deal on the screen.
pub(crate) struct DealView {
    out: Out,
    names: HashMap<Address, String>,
    progress: DealProgress,
    bars: Option<(MultiProgress, BTreeMap<u32, ProgressBar>)>,
    batches: u32,
    began: Instant,
}

impl DealView {
    /// A view of a deal of so many batches; `names` for those workers that have one.
    pub(crate) fn new(out: Out, batches: u32, names: HashMap<Address, String>) -> Self {
        let bars = (out.watched() && batches <= BARS_MAX).then(|| {
            let screen = MultiProgress::new();
            let bars = (0..batches).map(|batch| (batch, bar(&screen, batch, batches))).collect();
            (screen, bars)
        });
        Self { out, names, progress: DealProgress::default(), bars, batches, began: Instant::now() }
    }

    /// Takes an event.
    pub(crate) fn note(&mut self, event: &ProgressEvent) {
        let listed_now = matches!(event.step, ProgressStep::Listed { .. });
        self.progress.note(event);
        if let Some(batch) = self.progress.batch(event.round.batch) {
            if let Some(bar) = self.bars.as_ref().and_then(|(_, bars)| bars.get(&event.round.batch)) {
                show(bar, batch);
            }
            if listed_now && !batch.seated.is_empty() {
                let seats: Vec<_> = batch.seated.iter().map(|worker| self.name(*worker)).collect();
                self.step(event.round.batch, &format!("the lot drew {}", seats.join(", ")));
            }
        }
        // Named when the list closes.
        let routine = matches!(event.step, ProgressStep::Seated { .. });
        let counted = matches!(
            event.step,
            ProgressStep::Committed { .. } | ProgressStep::Contributed { .. } | ProgressStep::Posting
        );
        let on_bar = self.bars.is_some() && counted;
        if !routine && !on_bar {
            let line = describe(event, |worker| self.name(worker));
            self.step(event.round.batch, &line);
        }
    }

    /// Says a line above the bars.
    pub(crate) fn say(&self, line: &str) {
        match &self.bars {
            // A screen that is gone takes no lines.
            Some((screen, _)) => drop(screen.println(line)),
            None => self.out.say(line),
        }
    }

    /// Takes the bars off the screen; what they showed last stays.
    pub(crate) fn finish(self) {
        for bar in self.bars.into_iter().flat_map(|(_, bars)| bars.into_values()) {
            bar.abandon();
        }
    }

    fn step(&self, batch: u32, line: &str) {
        let style: Style = self.out.prose();
        let time = format!("{:6.1} s", self.began.elapsed().as_secs_f64());
        self.say(&format!("{} {} {line}", style.faint(time), style.strong(label(batch, self.batches))));
    }

    fn name(&self, worker: Address) -> String {
        self.names.get(&worker).cloned().unwrap_or_else(|| short(worker))
    }
}

fn label(batch: u32, batches: u32) -> String {
    format!("batch {}/{batches}", batch + 1)
}

fn bar(screen: &MultiProgress, batch: u32, batches: u32) -> ProgressBar {
    let bar = screen.add(ProgressBar::new(1));
    // A constant template that is wrong shows the plain style.
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24.cyan/dim} {msg}") {
        bar.set_style(style.progress_chars("━━╌"));
    }
    bar.set_prefix(label(batch, batches));
    bar.set_message("waits for the draw");
    bar.tick();
    bar
}

fn show(bar: &ProgressBar, batch: &BatchProgress) {
    let count = |workers: &[Address]| u64::try_from(workers.len()).unwrap_or(u64::MAX);
    let (seats, committed, shown) =
        (count(&batch.seated), count(&batch.committed), count(&batch.contributed));
    let certified = matches!(batch.outcome, Some(Outcome::Certified { .. }));
    let length = (seats * 2 + count(&batch.committed)).max(1);
    bar.set_length(length);
    bar.set_position(if certified { length } else { (seats + committed + shown).min(length) });
    let rival = if batch.claims > 1 { format!(" · {} claims", batch.claims) } else { String::new() };
    let odds = show_odds(batch.odds.0);
    bar.set_message(match &batch.outcome {
        Some(Outcome::Certified { .. }) => format!("certified at {odds}{rival}"),
        Some(Outcome::Reopened) => "is drawn anew".to_owned(),
        Some(Outcome::Unavailable) => "void".to_owned(),
        Some(Outcome::Expired) => "expired".to_owned(),
        None => format!("{seats} seats · {committed} committed · {shown} shown · {odds}{rival}"),
    });
}
