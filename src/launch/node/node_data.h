// Makes sure that this node has the prepared dataset of a model, once per machine and content.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/model/model.h"
#include "data/remarks.h"
#include "launch/node/emitter.h"

namespace sxb::launch {

struct NodeDataset {
  std::filesystem::path dir;          ///< empty for "synthetic"
  std::vector<data::Remark> remarks;  ///< what the run has to tell of it
};

/// The folder with the packed shards: model.data.dataset itself if it is one, else
/// `data_dir`/<hash of dataset, tokenizer and sequence length>, prepared if it is not there.
/// Processes that ask at the same time prepare it once. Refuses a tokenizer
/// with more ids than the model has, and a prepared dataset of another tokenizer or sequence length. Takes
/// minutes, or waits for another process; given up with kInterrupted once `unwanted`, which is asked
/// meanwhile.
Result<NodeDataset> ensure_dataset(const config::Model& model, const std::filesystem::path& data_dir,
                                   const std::function<bool()>& unwanted);

/// As findings.
void tell_remarks(const NodeDataset& dataset, Emitter& emitter);

/// What can be said of a model's files without preparing anything: the dataset is there and fits, the
/// weights to start from can be read and are the model's. For a head that shares the disk with its nodes.
Status check_inputs(const config::Model& model);

}  // namespace sxb::launch
