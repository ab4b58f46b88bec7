//! What a city's author sells: registered apps and datasets, their bytes with the pool, standing orders of all sides.
//!
//! What is registered is remembered in `city.json`, by content: the same bytes are registered once.

use std::{collections::BTreeMap, fs, path::PathBuf};

use alloy::primitives::{B256, U256, aliases::U96};
use guildhall_api::{ApiError, GatewayClient};
use guildhall_chain::{Key, bindings::Registry};
use guildhall_protocol::{
    AssetId, ContentId,
    orders::{AppOrder, DatasetOrder, PoolOrder},
};
use guildhall_sandbox::runtime_id;
use guildhall_service::files::{MODE_PUBLIC, atomic_write};
use serde::{Deserialize, Serialize};

use super::{City, founding};
use crate::{
    error::{Failure, Result},
    orders::{Order, OrderFolder, SignedOrder},
    requester::{
        assets::{Registered, registered},
        deal::sign,
    },
};

/// Standing orders are good for so long, in seconds.
const ORDER_SECS: u64 = 10 * 365 * 86_400;
/// Tasks that a standing order offers.
const ORDER_VOLUME: u64 = 1 << 40;
/// The longest execution that the pool takes.
const FUEL_MAX: u64 = 1_000_000_000_000;
/// Fee of the pool for a million fuel, in millionths of a token.
const FEE_MICROTOKENS: u64 = 100;

/// One asset, as `city.json` remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its name.
    pub name: String,
    /// Its number in the registry.
    pub id: AssetId,
    /// Content id of its bytes.
    pub content: ContentId,
}

/// What is registered, by content id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goods {
    /// Apps.
    pub apps: BTreeMap<String, Asset>,
    /// Datasets.
    pub datasets: BTreeMap<String, Asset>,
}

impl City {
    /// What is registered here.
    ///
    /// # Errors
    /// `city.goods` for a file that was spoilt.
    pub fn goods(&self) -> Result<Goods> {
        let path = self.goods_file();
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                Failure::new("city.goods", format!("`{}` is not understood: {error}", path.display()))
                    .hint("remove it: assets are registered again, under new numbers")
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Goods::default()),
            Err(error) => Err(Failure::file("read", &path, &error)),
        }
    }

    /// Registers an app, stores its bytes with the pool, and offers it at `price` a task.
    ///
    /// # Errors
    /// What the Registry and the store say.
    pub async fn sell_app(&self, name: &str, wasm: Vec<u8>, price: U96) -> Result<Asset> {
        let content = ContentId::of(&wasm);
        self.store(&self.keys.author).await?.put(wasm).await?;
        let mut goods = self.goods()?;
        let key = content.to_string();
        if let Some(asset) = goods.apps.get(&key) {
            return Ok(asset.clone());
        }
        let call =
            Registry::registerAppCall { codeId: content.0, runtime: runtime_id(), name_: name.to_owned() };
        let id = self.register(Registered::App, &call).await?;
        let asset = Asset { name: name.to_owned(), id, content };
        let (nonce, _) = self.chain.order_nonces(id, AssetId(U256::ZERO)).await?;
        let order = AppOrder {
            app: id.0,
            price,
            volume: ORDER_VOLUME,
            datasetRestrict: U256::ZERO,
            poolRestrict: 0,
            requesterRestrict: Default::default(),
            expiry: self.expiry().await?,
            nonce,
            salt: B256::random(),
        };
        self.offer(&self.keys.author, Order::App(order))?;
        goods.apps.insert(key, asset.clone());
        self.keep(&goods)?;
        Ok(asset)
    }

    /// Registers a dataset, stores its bytes with the pool, and offers it at `price` a task.
    ///
    /// # Errors
    /// What the Registry and the store say.
    pub async fn sell_dataset(&self, name: &str, bytes: Vec<u8>, price: U96) -> Result<Asset> {
        let content = ContentId::of(&bytes);
        self.store(&self.keys.author).await?.put(bytes).await?;
        let mut goods = self.goods()?;
        let key = content.to_string();
        if let Some(asset) = goods.datasets.get(&key) {
            return Ok(asset.clone());
        }
        let call = Registry::registerDatasetCall {
            contentId: content.0,
            keyCommitment: B256::ZERO,
            name_: name.to_owned(),
        };
        let id = self.register(Registered::Dataset, &call).await?;
        let asset = Asset { name: name.to_owned(), id, content };
        let order = DatasetOrder {
            dataset: id.0,
            price,
            volume: ORDER_VOLUME,
            expiry: self.expiry().await?,
            nonce: 0,
            salt: B256::random(),
            ..DatasetOrder::default()
        };
        self.offer(&self.keys.author, Order::Dataset(order))?;
        goods.datasets.insert(key, asset.clone());
        self.keep(&goods)?;
        Ok(asset)
    }

    /// Offers the pool's work, where no order of it stands yet.
    ///
    /// # Errors
    /// `files.*`, `chain.*`.
    pub async fn open_pool(&self) -> Result<()> {
        let chain = (self.chain.deployment().chain_id, self.chain.deployment().market);
        let stands = |(_, signed): &(PathBuf, SignedOrder)| {
            (signed.chain, signed.market) == chain
                && matches!(&signed.order, Order::Pool(order) if order.pool == self.pool.0)
        };
        if self.orders().list()?.iter().any(stands) {
            return Ok(());
        }
        let nonce = self.chain.pool(self.pool).await?.map_or(0, |pool| pool.nonce);
        let order = PoolOrder {
            pool: self.pool.0,
            feePerMfuel: U96::from(FEE_MICROTOKENS) * U96::from(1_000_000_000_000_u64),
            minimumFee: U96::ZERO,
            volume: ORDER_VOLUME,
            fuelLimitMax: FUEL_MAX,
            appRestrict: U256::ZERO,
            datasetRestrict: U256::ZERO,
            requesterRestrict: Default::default(),
            expiry: self.expiry().await?,
            nonce,
            salt: B256::random(),
        };
        self.offer(&self.keys.owner, Order::Pool(order))
    }

    /// Puts every standing order of the data directory on the gateway's book, where requesters find them who have no folder of
    /// orders. What the gateway refuses, because it is filled or cancelled meanwhile, stays off it.
    ///
    /// # Errors
    /// `file.*`; `api.*` when the gateway does not answer. A city without one has no book.
    pub async fn list_orders(&self) -> Result<()> {
        let Some(url) = self.gateway_url() else { return Ok(()) };
        let gateway = GatewayClient::new(&url)?;
        for (file, signed) in self.orders().list()? {
            if matches!(signed.order, Order::Request(_)) {
                continue;
            }
            match gateway.put_order(&signed).await {
                Ok(_) => {}
                Err(ApiError::Refused(problem)) => {
                    tracing::info!(file = %file.display(), %problem, "an order is not on the gateway's book");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The standing orders of the city.
    pub fn orders(&self) -> OrderFolder {
        OrderFolder::of_data(&self.config.data)
    }

    async fn register(&self, kind: Registered, call: &impl alloy::sol_types::SolCall) -> Result<AssetId> {
        let outcome = founding::send(&self.senders.author, self.chain.deployment().registry, call).await?;
        registered(&self.chain, &outcome, kind)
    }

    async fn expiry(&self) -> Result<u64> {
        Ok(self.chain.head().await?.time.0 + ORDER_SECS)
    }

    fn offer(&self, key: &Key, order: Order) -> Result<()> {
        let (chain, market) = (self.chain.deployment().chain_id, self.chain.deployment().market);
        let signature = sign(key, order.digest(chain, market))?;
        let signed =
            SignedOrder { chain, market, order, signer: key.address(), signature, payer_signature: None };
        self.orders().keep(&signed)?;
        Ok(())
    }

    fn keep(&self, goods: &Goods) -> Result<()> {
        let text = serde_json::to_string_pretty(goods)
            .map_err(|error| Failure::new("city.goods", format!("the list has no JSON form: {error}")))?;
        Ok(atomic_write(&self.goods_file(), text.as_bytes(), MODE_PUBLIC)?)
    }

    fn goods_file(&self) -> PathBuf {
        self.config.data.join("city.json")
    }
}
