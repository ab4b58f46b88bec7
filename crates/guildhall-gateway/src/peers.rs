//! The pools' coordinators, whose addresses anybody may write on chain: what is asked of them is bounded, and nobody gets the
//! gateway to ask in its own network.

use std::{net::IpAddr, sync::Arc, time::Duration};

use guildhall_api::{ApiError, CoordinatorClient};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// How long a connection may take to open.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a coordinator may be silent.
const SILENCE: Duration = Duration::from_secs(45);

/// The way to coordinators. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peers {
    http: reqwest::Client,
    anywhere: bool,
}

/// Whether an address is on the open network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || shared)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            // Only what is given out: 2000::/3, without documentation and what wraps an older address.
            None => {
                let first = v6.segments()[0];
                first & 0xe000 == 0x2000 && first != 0x2002 && !(first == 0x2001 && v6.segments()[1] < 0x0200)
            }
        },
    }
}

/// Resolves names, and forgets addresses that are not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<_> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(format!("`{}` has no public address", name.as_str()).into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

impl Peers {
    /// The way to coordinators; `anywhere` = in this network, too, as in a city on one machine.
    ///
    /// # Errors
    /// When there is no TLS on this machine.
    pub fn new(anywhere: bool) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true);
        let builder = if anywhere { builder } else { builder.dns_resolver(Arc::new(PublicOnly)) };
        Ok(Self { http: builder.build()?, anywhere })
    }

    /// A client of the coordinator at an address.
    ///
    /// # Errors
    /// [`ApiError::BadUrl`] for what is no address of a coordinator, or one that is not asked.
    pub fn coordinator(&self, address: &str) -> Result<CoordinatorClient, ApiError> {
        let bad = || ApiError::BadUrl { url: address.to_owned() };
        let url = Url::parse(address).map_err(|_| bad())?;
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(_)) => None,
            None => return Err(bad()),
        };
        let hidden = !url.username().is_empty() || url.password().is_some();
        if hidden || (!self.anywhere && literal.is_some_and(|address| !is_public(address))) {
            return Err(bad());
        }
        CoordinatorClient::with_client(address, self.http.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_the_gateway_to_ask_in_its_own_network() {
        let peers = Peers::new(false).expect("a client");
        for inside in [
            "http://127.0.0.1:8545/",
            "http://169.254.169.254/latest",
            "http://10.0.0.1",
            "http://[::1]:80",
            "http://[::ffff:127.0.0.1]",
            "http://[fe80::1]",
            "http://[fd00::1]",
            "http://0/",
            "http://2130706433/",
            "http://user:password@pool.example",
            "ftp://pool.example",
            "file:///etc/passwd",
            "",
        ] {
            assert!(peers.coordinator(inside).is_err(), "{inside}");
        }
        assert!(peers.coordinator("https://pool.example/guildhall").is_ok());
        assert!(peers.coordinator("http://203.0.114.7:8650").is_ok());
        let city = Peers::new(true).expect("a client");
        assert!(city.coordinator("http://127.0.0.1:8650").is_ok());
    }
}
