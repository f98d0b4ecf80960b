//! Buckets through `object_store`, with credentials from the environment as each cloud's own tools take them.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use tokio::runtime::Runtime;

use super::super::transport::{Body, Failure, Moved, Place, Transport, shown, too_long};
use crate::error::{Error, Result};

/// How long to wait for a connection, as `object_store` reads it.
const CONNECT: &str = "5 seconds";
/// How long one request may take; who waits for it gives up much earlier where nothing moves.
const REQUEST: &str = "1 hour";
/// Values up to this size go up as one piece, larger ones in pieces of this size.
const PART: usize = 8 << 20;

/// A folder in a bucket.
struct Cloud {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    runtime: Runtime,
}

/// The bucket behind an `s3://`, `gs://` or `az://` URL. Connects to nothing yet.
///
/// # Errors
/// When the environment lacks what the cloud needs, or the URL cannot be understood.
pub(in super::super) fn open(url: &str) -> Result<Box<dyn Transport>> {
    let cannot = |why: String| {
        Error::usage(format!("the remote cache `{url}` cannot be used"))
            .because(why)
            .help("credentials and regions come from the environment: `AWS_…`, `GOOGLE_…` or `AZURE_…`")
    };
    // Retries are counted where it is known what they are for.
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let store: object_store::Result<Arc<dyn ObjectStore>> = match scheme {
        "s3" => {
            let builder = AmazonS3Builder::from_env().with_url(url).with_retry(retry);
            let builder = builder.with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT);
            let builder = builder.with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST);
            builder.build().map(|store| Arc::new(store) as _)
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry);
            let builder = builder.with_config(GoogleConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT);
            let builder = builder.with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), REQUEST);
            builder.build().map(|store| Arc::new(store) as _)
        }
        "az" => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry);
            let builder = builder.with_config(AzureConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT);
            let builder = builder.with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), REQUEST);
            builder.build().map(|store| Arc::new(store) as _)
        }
        _ => return Err(cannot(format!("`{scheme}` is not a cloud that this program knows"))),
    };
    let store = store.map_err(|error| cannot(shown(&error.to_string())))?;
    let folder = Path::parse(rest.split_once('/').map_or("", |(_, folder)| folder.trim_matches('/')));
    let folder = folder.map_err(|error| cannot(shown(&error.to_string())))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error: io::Error| cannot(shown(&error.to_string())))?;
    Ok(Box::new(Cloud { store, folder, runtime }))
}

impl Cloud {
    fn path(&self, place: &Place) -> Path {
        let mut path = self.folder.clone();
        for part in place.to_string().split('/') {
            path = path.join(part);
        }
        path
    }
}

impl Transport for Cloud {
    fn get(&self, place: &Place, limit: u64, moved: &Moved) -> Result<Vec<u8>, Failure> {
        let path = self.path(place);
        self.runtime.block_on(async {
            let mut pieces = self.store.get(&path).await.map_err(failure)?.into_stream();
            let mut bytes = Vec::new();
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(failure)?;
                moved.add(piece.len());
                bytes.extend_from_slice(&piece);
                if bytes.len() as u64 > limit {
                    return Err(too_long(limit));
                }
            }
            Ok(bytes)
        })
    }

    fn length(&self, place: &Place) -> Result<Option<u64>, Failure> {
        let path = self.path(place);
        self.runtime.block_on(self.store.head(&path)).map(|found| Some(found.size)).map_err(failure)
    }

    fn put(&self, place: &Place, body: Body, moved: &Moved) -> Result<(), Failure> {
        let path = self.path(place);
        let bytes: &[u8] = (*body).as_ref();
        self.runtime.block_on(async {
            if bytes.len() <= PART {
                self.store.put(&path, PutPayload::from(bytes.to_vec())).await.map_err(failure)?;
                moved.add(bytes.len());
                return Ok(());
            }
            let mut upload = self.store.put_multipart(&path).await.map_err(failure)?;
            let mut sent = Ok(());
            for part in bytes.chunks(PART) {
                sent = upload.put_part(PutPayload::from(part.to_vec())).await;
                if sent.is_err() {
                    break;
                }
                moved.add(part.len());
            }
            let sent = match sent {
                Ok(()) => upload.complete().await.map(drop),
                Err(error) => Err(error),
            };
            if sent.is_err() {
                // Parts that stay behind cost money; where they cannot be removed, the bucket's own rules have to.
                let _ = upload.abort().await;
            }
            sent.map_err(failure)
        })
    }
}

fn failure(error: object_store::Error) -> Failure {
    match &error {
        object_store::Error::NotFound { .. } => Failure::Absent,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. }
        | object_store::Error::InvalidPath { .. }
        | object_store::Error::NotSupported { .. }
        | object_store::Error::NotImplemented { .. } => Failure::Refused(shown(&error.to_string())),
        _ => Failure::Unavailable(shown(&error.to_string())),
    }
}
