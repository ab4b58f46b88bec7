//! All of it in front of a person: a city of nine workers certifies the classification of photographs, while one
//! worker lies and one is switched off half-way.
//!
//! Everything that it shows was read from the chain, or checked against it.

mod liar;
mod summary;

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use alloy::primitives::{Bytes, U256, aliases::U96};
use guildhall_api::{Outcome, ProgressStep};
use guildhall_protocol::{DealId, Parameters, Policy, Secs};
use guildhall_service::files::DataDir;

pub use liar::Liar;
pub use summary::{Earned, Photo, Staged, Summary};

use crate::{
    city::{Asset, City, CityChain, CityConfig, Purchase},
    cli::view::DealView,
    error::{Failure, Result},
    output::Out,
    requester::{
        deal::{Opened, Work},
        history::{History, history},
        results::{bundle, take},
        settle,
        store::reader,
        verify::{Claimed, verify},
        watch::{Watch, Watched},
    },
    values::{show_tokens, thousands},
};

/// Who works in the city; the first names stand for `worker-1` and on.
const NAMES: [&str; 9] =
    ["harbour", "library", "tramway", "school", "bakery", "stadium", "museum", "brewery", "theatre"];
/// The worker that lies: `bakery`.
const LIAR: usize = 4;
/// The worker that is switched off: `museum`.
const SWITCHED_OFF: usize = 6;
/// Fewest photographs that make a demonstration.
const PHOTOS_MIN: usize = 12;
/// Most photographs that are taken.
const PHOTOS_MAX: usize = 48;
/// Batches of the deal.
const BATCHES: usize = 4;
/// Limit of fuel of one classification.
const FUEL_LIMIT: u64 = 8_000_000_000;
/// Limit of memory of one classification, in bytes.
const MEMORY_LIMIT: u64 = 1 << 30;
/// Time for the whole deal, in seconds of chain time.
const DEADLINE_SECS: u64 = 900;

/// What the demonstration needs.
pub struct Stage {
    /// The city's directory; made anew.
    pub data: PathBuf,
    /// Directory of `image-class.wasm`.
    pub apps: PathBuf,
    /// Directory of `open-nsfw.onnx` and `photos`.
    pub assets: PathBuf,
    /// Whether there is a web application, for somebody to look at.
    pub is_open: bool,
}

/// Plays the demonstration and says what came of it; the city goes on until it is stopped.
///
/// # Errors
/// `demo.assets` when apps, model or photographs are missing, and whatever the city meets.
pub async fn play(stage: &Stage, out: Out) -> Result<(City, Summary)> {
    let style = out.prose();
    let began = Instant::now();
    let props = Props::load(stage)?;
    clear(&stage.data)?;
    out.say(style.strong("A city is founded: chain, contracts, a pool, nine workers of nine operators"));
    let mut city = City::start(config(stage)).await?;
    tell_city(&city, out).await?;
    let (app, model) = props.register(&city, out).await?;
    let opened = order(&city, &props, &app, &model, out).await?;
    let names = city.workers().iter().map(|worker| worker.address()).zip(NAMES.map(str::to_owned)).collect();
    watch(&mut city, &opened, names, out).await?;
    let summary = judge(&city, &props, &opened, began, out).await?;
    Ok((city, summary))
}

fn config(stage: &Stage) -> CityConfig {
    let parameters = Parameters {
        // Nine workers share one machine here: time enough for all of them, also where it is a slow one.
        patience_base_secs: Secs(90),
        fuel_per_sec: guildhall_protocol::Fuel(8_000_000_000),
        ..Parameters::default()
    };
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    CityConfig {
        chain: CityChain::Embedded { rpc: stage.is_open.then_some(any_port) },
        gateway: stage.is_open.then_some(any_port),
        parameters,
        // One after the other: certificates come all along, not all at the end.
        rounds_at_once: 1,
        // Nine workers are too few for a jury: a liar that was left out of a list would void what the others certified.
        disputes: false,
        wrap: Some(Arc::new(|number, honest| if number == LIAR { Arc::new(Liar(honest)) } else { honest })),
        ..CityConfig::new(stage.data.clone())
    }
}

/// The files of the demonstration.
struct Props {
    wasm: Vec<u8>,
    model: Vec<u8>,
    photos: Vec<(String, Bytes)>,
}

impl Props {
    fn load(stage: &Stage) -> Result<Self> {
        let read = |path: PathBuf| {
            fs::read(&path).map_err(|error| {
                Failure::new("demo.assets", format!("could not read `{}`: {error}", path.display()))
                    .hint("`make assets` builds the apps and fetches the model and the photographs")
            })
        };
        let dir = stage.assets.join("photos");
        let listed = fs::read_dir(&dir).map_err(|error| {
            Failure::new("demo.assets", format!("could not read `{}`: {error}", dir.display()))
                .hint("`make assets` fetches the photographs")
        })?;
        let mut paths: Vec<_> =
            listed.filter_map(|entry| Some(entry.ok()?.path())).take(PHOTOS_MAX).collect();
        paths.sort();
        if paths.len() < PHOTOS_MIN {
            return Err(Failure::new(
                "demo.assets",
                format!("`{}` has {} photographs, {PHOTOS_MIN} are needed", dir.display(), paths.len()),
            )
            .hint("`make assets` fetches them"));
        }
        let named = |path: PathBuf| {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            Ok((name, Bytes::from(read(path)?)))
        };
        Ok(Self {
            wasm: read(stage.apps.join("image-class.wasm"))?,
            model: read(stage.assets.join("open-nsfw.onnx"))?,
            photos: paths.into_iter().map(named).collect::<Result<_>>()?,
        })
    }

    async fn register(&self, city: &City, out: Out) -> Result<(Asset, Asset)> {
        let price = |thousandths: u64| U96::from(thousandths) * U96::from(1_000_000_000_000_000_u64);
        let app = city.sell_app("image-class", self.wasm.clone(), price(10)).await?;
        let model = city.sell_dataset("open-nsfw", self.model.clone(), price(20)).await?;
        city.open_pool().await?;
        out.say(format!(
            "registered app {} (image-class) and dataset {} (OpenNSFW), by content id",
            app.id, model.id
        ));
        out.say("the workers make the app ready: checked, metered, compiled once, kept on disk");
        city.make_ready(self.wasm.clone()).await?;
        Ok((app, model))
    }
}

/// Removes what an earlier demonstration left; refuses a directory that is something else.
fn clear(data: &Path) -> Result<()> {
    if !data.exists() {
        return Ok(());
    }
    let ours =
        data.join("keys").exists() || fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_none());
    if !ours {
        return Err(Failure::new(
            "demo.directory",
            format!("`{}` is no earlier demonstration", data.display()),
        )
        .hint("name another directory with `--data DIR`"));
    }
    // Held while it is removed: a city that lives there is not.
    let _lock = DataDir::open(data)?;
    fs::remove_dir_all(data).map_err(|error| Failure::file("remove", data, &error))
}

async fn tell_city(city: &City, out: Out) -> Result<()> {
    let style = out.prose();
    let deployment = city.chain.deployment();
    let pool = city.chain.pool(city.pool).await?;
    let bond = pool.map_or(U256::ZERO, |pool| pool.bond.to_amount().0);
    out.say(format!(
        "chain {}, Market {}, Certifier {}",
        deployment.chain_id, deployment.market, deployment.certifier
    ));
    out.say(format!("pool {} at {}, {} tokens bonded", city.pool, city.coordinator_url(), show_tokens(bond)));
    if let Some(gateway) = city.gateway_url() {
        out.say(format!("to be looked at in a browser: {}", style.strong(gateway)));
    }
    out.say(style.doubt(format!(
        "{} lies about every photograph; {} will be switched off half-way",
        NAMES[LIAR], NAMES[SWITCHED_OFF]
    )));
    Ok(())
}

/// The three promises that the demonstration asks for. With six operators the lot wants nine seats: all of the city has one in every
/// first wave, so that neither the liar nor the machine that stops is left to chance.
fn policy() -> Policy {
    Policy { confidence: 99, replicasMin: 6, replicasMax: 9, disputeWindow: 10, ..Policy::default() }
}

async fn order(city: &City, props: &Props, app: &Asset, model: &Asset, out: Out) -> Result<Opened> {
    let inputs: Vec<_> = props.photos.iter().map(|(_, bytes)| bytes.clone()).collect();
    let purchase = Purchase {
        app: app.id,
        dataset: model.id,
        batch_size: u32::try_from(inputs.len().div_ceil(BATCHES)).unwrap_or(u32::MAX),
        work: Work { args: vec!["image-class".to_owned()], env: Vec::new(), inputs },
        policy: policy(),
        fuel_limit: FUEL_LIMIT,
        memory_limit: MEMORY_LIMIT,
        deadline_secs: DEADLINE_SECS,
        sponsor: None,
        callback: Default::default(),
        delivery_tip: Default::default(),
    };
    let ready = city.prepare(&purchase).await?;
    let opened = city.open(&ready).await?;
    let (tasks, batches) = (opened.terms.taskCount, opened.terms.batches());
    let head = format!(
        "One deal: {tasks} photographs in {batches} batches, confidence 99:1, six operators at least"
    );
    out.say(out.prose().strong(head));
    out.say(format!(
        "deal {} ({} gas: four orders matched, the worst case locked)",
        opened.deal,
        thousands(opened.outcome.gas_used)
    ));
    Ok(opened)
}

async fn watch(
    city: &mut City,
    opened: &Opened,
    names: HashMap<alloy::primitives::Address, String>,
    out: Out,
) -> Result<()> {
    let batches = opened.terms.batches();
    let mut view = DealView::new(out, batches, names);
    let client = guildhall_api::CoordinatorClient::new(&city.coordinator_url())?;
    let mut watch = Watch::start(&city.chain, Some(client), opened.deal, batches);
    let (mut on, mut certified) = (true, 0);
    loop {
        let watched = tokio::select! {
            watched = watch.next() => watched,
            failure = city.role_ended() => return Err(failure),
        };
        let Some(Watched::Progress(event)) = watched else { break };
        view.note(&event);
        certified +=
            u32::from(matches!(&event.step, ProgressStep::Ended { outcome: Outcome::Certified { .. } }));
        if on && certified * 2 >= batches {
            on = false;
            view.say(&out.prose().doubt(format!("         {} is switched off", NAMES[SWITCHED_OFF])));
            city.switch_off(SWITCHED_OFF).await;
        }
    }
    view.finish();
    Ok(())
}

async fn judge(city: &City, props: &Props, opened: &Opened, began: Instant, out: Out) -> Result<Summary> {
    let chain = &city.chain;
    let told = history(chain, opened.deal).await?;
    let photos = photos(city, props, opened.deal, &told).await?;
    out.say(
        out.prose().strong(
            "Every result is verified from outside: terms, certificate, signatures, odds, proof, bytes",
        ),
    );
    let released = release(city, &told, out).await?;
    let mut earned = Vec::new();
    for (number, (operator, worker)) in city.keys.operators.iter().zip(&city.keys.workers).enumerate() {
        let id = chain.operator(operator.address()).await?;
        let fees = match id {
            Some(id) => chain.operator_fees(id).await?,
            None => Default::default(),
        };
        let slashed =
            told.slashes.iter().filter(|slash| slash.worker == worker.address()).map(|slash| slash.units);
        let mut one = Earned {
            name: NAMES[number].to_owned(),
            worker: worker.address(),
            fees,
            slashed: guildhall_protocol::BondUnits(slashed.sum()).to_amount(),
            agreed: 0,
            opposed: 0,
            staged: match number {
                LIAR => Some(Staged::Liar),
                SWITCHED_OFF => Some(Staged::SwitchedOff),
                _ => None,
            },
        };
        one.count(told.certificates.iter().flat_map(|at| &at.certified.members));
        earned.push(one);
    }
    Ok(Summary {
        deal: opened.deal,
        photos,
        earned,
        gas_match: opened.outcome.gas_used,
        gas_certify: gas(city, &told).await?,
        gas_release: released,
        seconds: began.elapsed().as_secs(),
        data: city.config().data.clone(),
    })
}

async fn photos(city: &City, props: &Props, deal: DealId, told: &History) -> Result<Vec<Photo>> {
    let client = guildhall_api::CoordinatorClient::new(&city.coordinator_url())?;
    let blobs = reader(&city.config().data.join("cache/blobs"), &city.coordinator_url()).await?;
    let mut photos = Vec::with_capacity(props.photos.len());
    for (task, (name, _)) in (0_u32..).zip(&props.photos) {
        let bytes = bundle_when_stored(&client, told, task).await?;
        let fetched = take(&bytes, told, task, &*blobs).await?;
        let claimed = Claimed { task, receipt: &fetched.receipt, output: &fetched.output };
        let verification = verify(&city.chain, told, &claimed).await?;
        let (batch, _) =
            told.terms.locate(task).map_err(|error| Failure::new(error.code(), error.to_string()))?;
        let certificate = told.certificate(batch).map(|at| at.certified.certificate);
        let text = String::from_utf8_lossy(&fetched.output).into_owned();
        let score: Option<f64> =
            serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|value| value["score"].as_f64());
        photos.push(Photo {
            name: name.clone(),
            task,
            batch,
            score: score
                .ok_or_else(|| Failure::new("demo.output", format!("{name} has no score: {text}")))?,
            root: fetched.root,
            odds_micro: certificate.map_or(0, |certificate| certificate.odds),
            operators: certificate.map_or(0, |certificate| certificate.seats),
            verified: verification.holds(),
            failed: verification.failed().map(|check| format!("{}: {}", check.step, check.says)),
            deal,
        });
    }
    Ok(photos)
}

/// The bundle of a task's batch. A member stores it after the certificate: it may come a moment later.
async fn bundle_when_stored(
    client: &guildhall_api::CoordinatorClient,
    told: &History,
    task: u32,
) -> Result<Vec<u8>> {
    const TRIES: u32 = 50;
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
    for _ in 1..TRIES {
        match bundle(client, told, task).await {
            Err(failure) if failure.code() == "result.none" => tokio::time::sleep(PAUSE).await,
            found => return found,
        }
    }
    bundle(client, told, task).await
}

/// Waits for the windows to end and pays the escrow out; the gas of it.
async fn release(city: &City, told: &History, out: Out) -> Result<u64> {
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);
    let slashed: std::collections::BTreeSet<u32> = told.slashes.iter().map(|slash| slash.batch).collect();
    let Some(last) = slashed
        .iter()
        .filter_map(|batch| told.certificate(*batch))
        .map(|at| at.certified.certificate.finalAt)
        .max()
    else {
        return Ok(0);
    };
    out.say("the dispute window passes; then the liar's stake leaves the escrow");
    while city.chain.head().await?.time.0 <= last {
        tokio::time::sleep(PAUSE).await;
    }
    let mut gas = 0;
    for batch in slashed {
        gas += settle::release(&city.chain, city.requester(), told, batch).await?.gas_used;
    }
    Ok(gas)
}

/// Gas of the transactions that certified.
async fn gas(city: &City, told: &History) -> Result<u64> {
    use alloy::providers::Provider as _;
    let transactions: std::collections::BTreeSet<_> =
        told.certificates.iter().map(|at| at.position.transaction).collect();
    let mut gas = 0;
    for transaction in transactions {
        let receipt = city.chain.provider().get_transaction_receipt(transaction).await;
        let receipt = receipt.map_err(|error| Failure::new("chain.node", error.to_string()))?;
        gas += receipt.map_or(0, |receipt| receipt.gas_used);
    }
    Ok(gas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_city_that_lives_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("demo");
        let living = DataDir::open(&data).unwrap();
        fs::create_dir(data.join("keys")).unwrap();
        let refused = clear(&data).unwrap_err();
        assert_eq!(refused.code(), "files.locked");
        assert!(refused.hint_text().is_some_and(|hint| hint.contains("stop")), "{refused:?}");
        assert!(data.join("keys").exists());
        drop(living);
        clear(&data).unwrap();
        assert!(!data.exists());
    }
}
