//! The account that visitors of the web application use on a development chain. Its key is known to everybody, so that it is worth
//! nothing anywhere else: it gets nothing on any other chain.

use alloy::primitives::{Address, Bytes, U256, address};
use guildhall_chain::{
    Call,
    bindings::{DevToken, Vault},
};

use super::founding::{Founding, send, tokens};
use crate::error::Result;

/// Chains whose accounts are worth nothing: that of a city on one machine, and those of development nodes. The web application has
/// the same list (`web/src/api/types.ts`).
const DEVELOPMENT_CHAINS: [u64; 3] = [super::node::CHAIN_ID, 31_337, 1_337];
/// The first account that development nodes make out of their well-known words.
pub const VISITOR: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// Whole coins that it gets for gas; topped up when a tenth is left, as are its tokens.
const COINS: u64 = 10;
/// Whole tokens that it gets in the Vault, and as many beside it.
const TOKENS: u64 = 100_000;

/// Whether whatever an account of this chain holds is worth nothing.
pub(super) fn is_development(chain: u64) -> bool {
    DEVELOPMENT_CHAINS.contains(&chain)
}

impl Founding<'_> {
    /// Fills the visitors' account up, at every start: anybody may have spent what it had.
    pub(super) async fn visitor(&self) -> Result<()> {
        let (token, vault) = (self.chain.deployment().token, self.chain.deployment().vault);
        let (sender, full) = (&self.senders.deployer, tokens(TOKENS));
        let spent = |left: U256, full: U256| left < full / U256::from(10);
        let coins = tokens(COINS);
        if spent(self.chain.coins_wei(VISITOR).await?, coins) {
            sender.send(Call { to: Some(VISITOR), data: Bytes::new(), value_wei: coins }).await?;
        }
        if spent(self.chain.tokens(VISITOR).await?.0, full) {
            send(sender, token, &DevToken::mintCall { to: VISITOR, amount: full }).await?;
        }
        if spent(self.chain.balance(VISITOR).await?.0, full) {
            let to = self.keys.deployer.address();
            send(sender, token, &DevToken::mintCall { to, amount: full }).await?;
            send(sender, vault, &Vault::depositCall { account: VISITOR, amount: full }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_application_knows_the_same_chains_and_account() {
        let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/src");
        let read = |file: &str| std::fs::read_to_string(format!("{web}/{file}")).unwrap();
        let chains = DEVELOPMENT_CHAINS.map(|chain| format!("{}_{:03}", chain / 1_000, chain % 1_000));
        assert!(read("api/types.ts").contains(&format!("DEVELOPMENT_CHAINS = [{}]", chains.join(", "))));
        let key = read("wallet/development.ts");
        let key = key.split('"').find(|part| part.len() == 66 && part.starts_with("0x")).unwrap();
        let signer: alloy::signers::local::PrivateKeySigner = key.parse().unwrap();
        assert_eq!(signer.address(), VISITOR);
    }
}
