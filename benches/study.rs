//! Time of each part of the simulated study on one thread: `study.rs REPLICATES PARAMETER...` prints seconds by part.
//!
//! Every part is done by the calls that the study makes, in its order; what the whole takes beyond them is the rest:
//! tables, correlations, jackknife, intervals, figures.

use std::time::{Duration, Instant};

use avowal_engine::logit::Priors;
use avowal_engine::study::{
    Agent, Decisions, Designs, Fitter, Group, Replies, Run, Set, Settings, TOGETHER, model_scales, simulate,
};
use avowal_engine::{Error, Interrupt, Result};

const SEED: u64 = 1;

/// Seconds by part.
#[derive(Default)]
struct Parts {
    agents: Duration,
    decisions: Duration,
    fits: Duration,
    replies: Duration,
}

impl Parts {
    fn add(&mut self, settings: &Settings, replicate: u64) -> Result<()> {
        let key = (0, SEED, replicate);
        let start = Instant::now();
        let agents = Group::ALL.map(|group| -> Vec<Agent> {
            let draw = |index| Agent::draw(settings, group, index, 0, SEED, replicate);
            (0..settings.agents(group)).map(draw).collect()
        });
        self.agents += start.elapsed();
        for group in Group::ALL {
            let mut decisions: [Decisions; TOGETHER] = Default::default();
            let (mut fitter, mut fits) = (Fitter::new(Priors::default())?, Vec::new());
            for (block, agents) in agents[group as usize].chunks(TOGETHER).enumerate() {
                let start = Instant::now();
                let decisions = &mut decisions[..agents.len()];
                for (l, (decisions, agent)) in decisions.iter_mut().zip(agents).enumerate() {
                    decisions.draw(settings, agent, group, block * TOGETHER + l, key, None);
                }
                let drawn = Instant::now();
                fitter.fit(decisions, settings.attributes(), &mut fits);
                self.fits += drawn.elapsed();
                self.decisions += drawn - start;
            }
        }
        let start = Instant::now();
        for set in Set::ALL {
            let mut replies = Replies::default();
            let (scale, mut mean) = (model_scales(settings, set, key)[0], vec![0.0; settings.attributes()]);
            for (index, agent) in agents[set.group() as usize].iter().enumerate() {
                replies.draw(settings, agent, set, index, scale, key);
                replies.mean(&mut mean);
            }
        }
        self.replies += start.elapsed();
        Ok(())
    }
}

fn main() -> Result<()> {
    // Cargo adds --bench.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(count) = arguments.next().and_then(|count| count.parse().ok()) else {
        return Err(Error::input("arguments", "replicates, then parameters", "none"));
    };
    let parameters: Vec<f64> = arguments.filter_map(|argument| argument.parse().ok()).collect();
    let settings = Settings::read(&parameters)?;
    let run = Run {
        seed: SEED,
        first: 0,
        count,
        level: 0.95,
        threads: 1,
    };
    simulate(
        &[settings],
        Designs::default(),
        &Run { count: 20, ..run },
        &Interrupt::new(),
    )?;
    let start = Instant::now();
    simulate(&[settings], Designs::default(), &run, &Interrupt::new())?;
    let whole = start.elapsed();
    let mut parts = Parts::default();
    (0..run.count as u64).try_for_each(|replicate| parts.add(&settings, replicate))?;
    for (name, time) in [
        ("agents", parts.agents),
        ("decisions", parts.decisions),
        ("fits", parts.fits),
        ("replies", parts.replies),
        ("whole", whole),
    ] {
        println!("{name} {}", time.as_secs_f64());
    }
    Ok(())
}
