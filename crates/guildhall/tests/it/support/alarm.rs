//! The example of a consumer: it takes results of one requester, app and pool only, final, and keeps the last.

use alloy::primitives::{Address, I256, U256, hex};
use guildhall_chain::Call;

use super::city::Town;

alloy::sol! {
    #[sol(rpc)]
    contract TemperatureAlarm {
        constructor(address certifier, address requester, uint256 app, uint32 pool, int256 threshold);
        function centidegrees() external view returns (int256);
    }
}

/// Deploys it for the results of a city's requester, app and pool.
pub(crate) async fn deploy_alarm(town: &Town) -> Address {
    let artifact = include_str!("../../../../guildhall-chain/abi/TemperatureAlarm.json");
    let artifact: serde_json::Value = serde_json::from_str(artifact).expect("an artifact");
    let mut code = hex::decode(artifact["bytecode"].as_str().expect("code")).expect("hex");
    let made = TemperatureAlarm::constructorCall {
        certifier: town.city.chain.deployment().certifier,
        requester: town.city.keys.requester.address(),
        app: town.hello.id.0,
        pool: town.city.pool.0,
        threshold: I256::try_from(3_000).expect("small"),
    };
    code.extend(alloy::sol_types::SolConstructor::abi_encode(&made));
    let call = Call { to: None, data: code.into(), value_wei: U256::ZERO };
    let sent = town.city.requester().send(call).await.expect("it is deployed");
    sent.created.expect("a contract")
}
