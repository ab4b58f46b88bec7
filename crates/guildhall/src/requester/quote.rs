//! What a policy costs, as the command prints it. What it costs is `guildhall-api`'s to say.

pub use guildhall_api::quote::{PoolNow, Promise, Question, Quote, QuoteError, promises, quote};

use crate::{
    output::{Report, Style},
    values::{show_seconds, show_tokens},
};

impl Report for Quote {
    fn text(&self, style: Style) -> String {
        let mut lines = vec![
            format!(
                "{} {} expected, {} locked (the rest comes back)",
                style.strong("price"),
                show_tokens(self.price_expected.0),
                show_tokens(self.price_locked.0)
            ),
            format!(
                "{} about {}.{} of each task; {} operators must agree, the lot draws {} seats on average; {}.{} % of rounds stay undecided",
                style.strong("executions"),
                self.executions_expected_milli / 1_000,
                self.executions_expected_milli % 1_000 / 100,
                self.operators_needed,
                self.seats_wanted,
                self.undecided_ppm / 10_000,
                self.undecided_ppm % 10_000 / 1_000
            ),
            format!(
                "{} about {} to a provisional certificate ({} % by the first wave), final {} later",
                style.strong("time"),
                show_seconds(self.seconds_expected.0),
                self.first_wave_percent,
                show_seconds(self.window.0)
            ),
            format!(
                "{} {} workers of {} operators, {} tokens bonded",
                style.strong("pool"),
                self.pool.workers,
                self.pool.operators,
                show_tokens(self.pool.bond.to_amount().0)
            ),
        ];
        for promise in &self.promises {
            lines.push(format!("{} {}", style.strong(format!("promise: {}", promise.name)), promise.promise));
            lines.push(format!("  if {}", style.faint(&promise.assumption)));
        }
        lines.extend(self.obstacles.iter().map(|obstacle| format!("{} {obstacle}", style.bad("cannot:"))));
        lines.join("\n")
    }
}
