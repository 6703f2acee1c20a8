#include "record/kinds/saved.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<Saved> R>
void rows(V& visit, R& r) {
  visit(r.folder, {"folder", "", Hint::kText, "Folder of --save on rank 0's node."});
  visit(r.file, {"file", "", Hint::kText, "The file's name there, once all of them are written."});
  visit(r.tensors, {"tensors", "", Hint::kCount, "Tensors in it."});
  visit(r.bytes, {"bytes", "B", Hint::kBytes, "Their bytes."});
  visit(r.write_s,
        {"write_s", "s", Hint::kSeconds,
         "Since the file before: gathering them from all ranks, copying them to the host, writing."});
}

SXB_RECORD_KIND(Saved)

}  // namespace sxb::record
