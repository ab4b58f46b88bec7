//! `guildhall gateway`: the gateway alone, with its settings.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Args;
use guildhall_blobs::FsStore;
use guildhall_service::{
    config::{Spec, non_empty},
    files::DataDir,
    health::{self, Health},
    tasks::stop_on_signal,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Context,
    config::{ConfigArgs, flag},
    roles::{STORE_QUOTA_BYTES, bind, metrics},
};
use crate::error::{ExitStatus, Failure, Result};

/// Settings of a gateway.
const GATEWAY: Spec = Spec { role: "gateway", defaults: include_str!("../defaults/gateway.toml") };

/// Settings of `guildhall gateway`; `src/defaults/gateway.toml` says what each means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewaySettings {
    listen: SocketAddr,
    #[serde(deserialize_with = "non_empty")]
    dir: Option<PathBuf>,
    #[serde(deserialize_with = "non_empty")]
    database: Option<String>,
    #[serde(deserialize_with = "non_empty")]
    rpc: Option<Url>,
    private_pools: bool,
    rate_limit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GatewayArgs {
    /// Where to listen; 127.0.0.1:8660 if left out.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Directory of the index and of the bytes; `gateway` in the data directory if left out.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Database of the index, such as `postgres://USER@HOST/NAME`; a SQLite file in the directory if left out.
    #[arg(long, value_name = "URL", env = "GUILDHALL_GATEWAY_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Read everything from the chain again. The order book stays.
    #[arg(long)]
    rebuild: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl GatewayArgs {
    fn settings(&self, context: &Context) -> Result<Option<GatewaySettings>> {
        let flags = vec![
            flag("listen", self.listen.as_ref()),
            flag("dir", self.dir.as_ref().map(|dir| dir.display()).as_ref()),
            flag("database", self.database.as_ref()),
        ];
        self.config.load(&GATEWAY, context.out, flags)
    }
}

pub(crate) async fn gateway(args: GatewayArgs, context: &Context) -> Result<ExitStatus> {
    let Some(settings) = args.settings(context)? else { return Ok(ExitStatus::Done) };
    let chain = context.chain().await?;
    let dir = DataDir::open(settings.dir.unwrap_or_else(|| context.profile.data.join("gateway")))?;
    let blobs = FsStore::open(dir.join("blobs"), STORE_QUOTA_BYTES).await?;
    let listener = bind("gateway.listen", settings.listen, "--listen").await?;
    let address = listener.local_addr().map_err(|error| Failure::new("gateway.listen", error.to_string()))?;
    let health = Health::new();
    let config = guildhall_gateway::Config {
        data_dir: dir.path().to_owned(),
        database: settings.database,
        rebuild: args.rebuild,
        private_pools: settings.private_pools,
        rates: settings.rate_limit,
        rpc: settings.rpc.map(String::from),
    };
    let deps = guildhall_gateway::Deps {
        chain,
        blobs: Arc::new(blobs),
        listener,
        checks: health.role("gateway"),
        extra_routes: health::routes(&health, &metrics()?),
    };
    let url = format!("http://{address}");
    context.out.say(format!("gateway at {url}"));
    context.out.line(&GatewayStarted { step: "started", gateway: &url })?;
    guildhall_gateway::run(config, deps, stop_on_signal()).await?;
    Ok(ExitStatus::Done)
}

/// The first line of a gateway with `--json`.
#[derive(Serialize)]
struct GatewayStarted<'a> {
    step: &'static str,
    gateway: &'a str,
}

#[cfg(test)]
mod tests {
    use super::{super::config::tests::of, *};

    #[test]
    fn the_default_file_is_complete_and_good() {
        let gateway: GatewaySettings = of(&GATEWAY, &[]).unwrap();
        assert!(gateway.listen.ip().is_loopback() && gateway.database.is_none() && gateway.rate_limit);
    }
}
