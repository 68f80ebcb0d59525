#include "calls.h"

#include <cstring>
#include <fstream>
#include <sstream>

namespace streamhmm {
namespace replay {
namespace {

Contents read_contents(std::istringstream& line, std::istream& file) {
  static const std::map<std::string, int64_t> sizes = {{"float32", 4}, {"float64", 8}, {"int32", 4}, {"int64", 8},
                                                       {"int16", 2},   {"uint8", 1},   {"int8", 1},  {"bool", 1}};
  Contents contents;
  line >> contents.type >> contents.count;
  if (!line || sizes.count(contents.type) == 0) throw std::runtime_error("a buffer of unknown type: " + line.str());
  contents.bytes.resize(contents.count * sizes.at(contents.type));
  file.read(contents.bytes.data(), static_cast<std::streamsize>(contents.bytes.size()));
  return contents;
}

// The items of one call, up to its "end".
void read_items(Call& call, std::istream& file) {
  std::string text, kind, name, value;
  while (std::getline(file, text)) {
    std::istringstream line(text);
    line >> kind;
    if (kind == "end") return;
    if (kind == "raised") {
      call.raised = true;
      continue;
    }
    line >> name;
    if (kind == "buffer") {
      call.buffers[name] = read_contents(line, file);
    } else if (kind == "written") {
      call.written[name] = read_contents(line, file);
    } else if (kind == "integer") {
      line >> call.integers[name];
    } else if (kind == "real") {
      line >> value;
      call.reals[name] = std::strtod(value.c_str(), nullptr);  // hexadecimal, which >> does not read
    } else {
      throw std::runtime_error("unknown item: " + text);
    }
    if (!line) throw std::runtime_error("damaged item: " + text);
  }
  throw std::runtime_error("the file ends within a call");
}

}  // namespace

std::vector<Call> read_calls(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<Call> calls;
  std::string text, kind;
  while (std::getline(file, text)) {
    std::istringstream line(text);
    Call call;
    line >> kind >> call.operation >> call.test;
    if (kind != "call" || !line) throw std::runtime_error("expected a call, got: " + text);
    read_items(call, file);
    calls.push_back(std::move(call));
  }
  return calls;
}

Arguments::Block::Block(const Contents& contents) : type(contents.type), memory(nullptr, &std::free) {
  const size_t size = contents.bytes.size();
  offset = contents.count > 0 ? static_cast<int64_t>(size) / contents.count : 0;  // malloc aligns to 16
  memory.reset(static_cast<char*>(std::malloc(offset + size)));
  if (memory == nullptr) throw std::bad_alloc();
  std::memcpy(data(), contents.bytes.data(), size);
}

}  // namespace replay
}  // namespace streamhmm
