//! The native half of the Python package `nnue`: the library's public interface, arrays as bytes. `nnue/__init__.py` is what users see.
#![deny(missing_docs)]

use std::path::PathBuf;

use nnue::{Tensor, Values};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

create_exception!(nnue, Error, PyValueError, "What the command line says of the same mistake: the message, its causes, and help.");

/// The whole message: what, why, and what to do.
fn raise(error: &nnue::Error) -> PyErr {
    let mut text = error.message().to_owned();
    for cause in error.causes() {
        text += &format!("\n  because {cause}");
    }
    if let Some(help) = error.help_text() {
        text += &format!("\n  help: {help}");
    }
    Error::new_err(text)
}

fn ok<T>(result: nnue::Result<T>) -> PyResult<T> {
    result.map_err(|error| raise(&error))
}

fn word<T: std::str::FromStr>(what: &str, name: &str) -> PyResult<T>
where
    T::Err: std::fmt::Display,
{
    name.parse().map_err(|error| Error::new_err(format!("{what}: {error}")))
}

/// Name, type, shape, little-endian values.
type Array<'py> = (String, &'static str, Vec<usize>, Bound<'py, PyBytes>);

fn to_python<'py>(py: Python<'py>, tensor: &Tensor<'_>) -> Array<'py> {
    let bytes: Vec<u8> = match &tensor.values {
        Values::I8(values) => values.iter().map(|value| value.cast_unsigned()).collect(),
        Values::I16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    (tensor.name.clone(), tensor.values.dtype(), tensor.shape.clone(), PyBytes::new(py, &bytes))
}

fn from_python((name, dtype, shape, bytes): (String, String, Vec<usize>, Vec<u8>)) -> PyResult<Tensor<'static>> {
    let values = match dtype.as_str() {
        "int8" => Values::I8(bytes.iter().map(|byte| byte.cast_signed()).collect()),
        "int16" => Values::I16(bytes.as_chunks().0.iter().map(|value| i16::from_le_bytes(*value)).collect()),
        "int32" => Values::I32(bytes.as_chunks().0.iter().map(|value| i32::from_le_bytes(*value)).collect()),
        "float32" => Values::F32(bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()),
        other => return Err(Error::new_err(format!("`{name}` is of {other}; weights are int8, int16 or int32"))),
    };
    Ok(Tensor { name, shape, values })
}

/// A network in integers.
#[pyclass(frozen, module = "nnue._nnue", name = "Net")]
struct Net(nnue::Net);

/// `architecture`, `candidates`, `features`, `quantization`, `l1`, `l2`, `l3`, `description`.
type Facts = (&'static str, Vec<&'static str>, String, &'static str, usize, usize, usize, String);

#[pymethods]
impl Net {
    fn facts(&self) -> Facts {
        let net = &self.0;
        let candidates = net.candidates().to_vec();
        (net.architecture(), candidates, net.features(), net.quantization(), net.l1(), net.l2(), net.l3(), net.description())
    }

    fn tensors<'py>(&self, py: Python<'py>) -> Vec<Array<'py>> {
        self.0.tensors().iter().map(|tensor| to_python(py, tensor)).collect()
    }

    fn with_tensors(&self, tensors: Vec<(String, String, Vec<usize>, Vec<u8>)>) -> PyResult<Self> {
        let tensors = tensors.into_iter().map(from_python).collect::<PyResult<Vec<_>>>()?;
        ok(self.0.with_tensors(&tensors)).map(Self)
    }

    /// Bucket, PSQT, positional part, value.
    fn evaluate(&self, py: Python<'_>, fens: Vec<String>) -> PyResult<Vec<(usize, i32, i32, i32)>> {
        py.detach(|| {
            let evaluations = fens.iter().map(|fen| {
                let found = self.0.evaluate(fen)?;
                Ok((found.bucket, found.psqt, found.positional, found.value()))
            });
            ok(evaluations.collect::<nnue::Result<_>>())
        })
    }

    /// Permutation, zero blocks before and after, all blocks.
    fn search(&self, py: Python<'_>, data: Vec<PathBuf>, positions: u64, algorithm: &str) -> PyResult<(Vec<u32>, u64, u64, u64)> {
        let algorithm = word("algorithm", algorithm)?;
        let found = ok(py.detach(|| self.0.search(data, positions, algorithm)))?;
        Ok((found.permutation.as_slice().to_vec(), found.zero_before, found.zero_after, found.blocks))
    }

    fn permuted(&self, permutation: Vec<i64>) -> PyResult<Self> {
        let permutation = ok(nnue::Permutation::try_from(permutation.as_slice()))?;
        ok(self.0.permuted(&permutation)).map(Self)
    }

    fn write(&self, py: Python<'_>, path: PathBuf, compression: Option<&str>) -> PyResult<(u64, String, String)> {
        let compression = compression.map(|name| word("compression", name)).transpose()?;
        written(ok(py.detach(|| self.0.write(path, compression)))?)
    }

    fn export(&self, py: Python<'_>, path: PathBuf, format: &str) -> PyResult<(u64, String, String)> {
        let format = word("format", format)?;
        written(ok(py.detach(|| self.0.export(path, format)))?)
    }

    fn same_weights(&self, other: &Self) -> bool {
        self.0.tensors() == other.0.tensors()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what its callers return")]
fn written(written: nnue::Written) -> PyResult<(u64, String, String)> {
    Ok((written.bytes, written.sha256, written.name))
}

/// Opens a network.
#[pyfunction]
fn open(
    py: Python<'_>,
    path: PathBuf,
    architecture: Option<String>,
    features: Option<String>,
    quantization: Option<String>,
    overflow: &str,
) -> PyResult<Net> {
    let mut options = nnue::OpenOptions::new().overflow(word("overflow", overflow)?);
    if let Some(name) = architecture {
        options = options.architecture(name);
    }
    if let Some(name) = features {
        options = options.features(name);
    }
    if let Some(name) = quantization {
        options = options.quantization(name);
    }
    ok(py.detach(|| options.open(path))).map(Net)
}

/// The tensors of a file of floats.
#[pyfunction]
fn read_tensors(py: Python<'_>, path: PathBuf) -> PyResult<Vec<Array<'_>>> {
    let tensors = ok(py.detach(|| nnue::read_tensors(path)))?;
    Ok(tensors.iter().map(|tensor| to_python(py, tensor)).collect())
}

/// Reads a permutation.
#[pyfunction]
fn read_permutation(path: PathBuf) -> PyResult<Vec<u32>> {
    ok(nnue::read_permutation(path)).map(|permutation| permutation.as_slice().to_vec())
}

/// Writes a permutation.
#[pyfunction]
fn write_permutation(path: PathBuf, permutation: Vec<i64>) -> PyResult<()> {
    let permutation = ok(nnue::Permutation::try_from(permutation.as_slice()))?;
    ok(nnue::write_permutation(path, &permutation))
}

/// The native module.
#[pymodule]
fn _nnue(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("Error", module.py().get_type::<Error>())?;
    module.add_class::<Net>()?;
    module.add_function(wrap_pyfunction!(open, module)?)?;
    module.add_function(wrap_pyfunction!(read_tensors, module)?)?;
    module.add_function(wrap_pyfunction!(read_permutation, module)?)?;
    module.add_function(wrap_pyfunction!(write_permutation, module)?)?;
    Ok(())
}
