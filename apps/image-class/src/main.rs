//! Classifies the photograph in `/in/input` with the model in `/in/dataset`.
//!
//! `--repeat N` infers N times, and `--time` prints how long each step took: to measure, natively (in the sandbox the
//! clock stands still).

use std::time::Instant;

use guildhall_guest::Task;
use image_class::{Classifier, Error, prepare};

fn main() -> Result<(), Error> {
    let options = Options::from_args(std::env::args().skip(1))?;
    let task = Task::current();
    let started = Instant::now();
    let classifier = Classifier::new(&std::fs::read(task.dataset_path())?)?;
    let prepared = prepare(&task.input()?)?;
    let ready = Instant::now();
    let mut score = classifier.score(&prepared)?;
    for _ in 1..options.repeat {
        score = classifier.score(&prepared)?;
    }
    let done = Instant::now();
    task.write_output(format!("{{\"score\":{score:.6}}}\n"))?;
    if options.time {
        let per_inference = (done - ready) / options.repeat;
        eprintln!(
            "{{\"prepare_us\":{},\"inference_us\":{},\"task_us\":{}}}",
            (ready - started).as_micros(),
            per_inference.as_micros(),
            (ready - started + per_inference).as_micros()
        );
    }
    Ok(())
}

struct Options {
    repeat: u32,
    time: bool,
}

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut options = Self { repeat: 1, time: false };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--time" => options.time = true,
                "--repeat" => {
                    let count = args.next().ok_or("--repeat needs a number")?;
                    options.repeat = count.parse::<u32>()?.max(1);
                }
                _ => return Err(format!("unknown argument `{arg}`; known are --repeat N and --time").into()),
            }
        }
        Ok(options)
    }
}
