#include "nodes/video/demuxer.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "framework/core/allocation_scope.h"
#include "framework/core/redact.h"
#include "nodes/video/declared_size.h"

namespace sluice {
namespace {

constexpr int kMostBrokenReads = 1000;  // a demuxer that finds no packet for so long never will

TimeNs steady_now() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

Status check_file(const std::string& path, const std::string& name) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found)
    return failed(fmt::format("{}: no such file", name));
  if (error) return failed(fmt::format("{}: {}", name, error.message()));
  if (std::filesystem::is_directory(status)) {
    return failed(
        fmt::format("{} is a folder: give a video file, or use image_source for a folder of pictures", name));
  }
  if (std::filesystem::is_regular_file(status) && std::filesystem::file_size(path, error) == 0) {
    return failed(fmt::format("{} is empty (0 bytes)", name));
  }
  return {};
}

// What may be opened on the way: a playlist in a file cannot reach the network, one from the network no file.
const char* allowed_protocols(const VideoUri& uri) {
  if (uri.backend == VideoBackend::kFile) return "file";
  return uri.target.compare(0, 4, "rtsp") == 0 ? "rtp,srtp,udp,tcp,tls,http,https,httpproxy"
                                               : "http,https,tcp,tls,httpproxy,crypto";
}

}  // namespace

Demuxer::Demuxer() { install_libav_log(); }
Demuxer::~Demuxer() { close(); }

int Demuxer::should_stop(void* self) {
  const auto* demuxer = static_cast<const Demuxer*>(self);
  return demuxer->interrupted() || demuxer->deadline_passed() ? 1 : 0;
}

void Demuxer::start_deadline() { deadline_ = steady_now() + timeout_; }
bool Demuxer::deadline_passed() const { return (network_ || pipe_) && steady_now() > deadline_; }

Status Demuxer::open(const VideoUri& uri, TimeNs timeout) {
  close();
  name_ = fmt::format("'{}'", redact_url(uri.target));
  network_ = uri.backend == VideoBackend::kNetwork;
  path_ = network_ ? std::string() : uri.target;
  timeout_ = timeout;
  start_deadline();
  if (!network_) SLUICE_RETURN_IF_ERROR(check_file(uri.target, name_));
  Status status = open_input(uri);
  if (status.ok()) status = choose_stream();
  if (!status.ok()) close();
  return status;
}

void Demuxer::close() {
  if (format_ != nullptr) avformat_close_input(&format_);
  pipe_.reset();
  stream_ = nullptr;
  broken_in_a_row_ = 0;
  packets_ = 0;
  failure_ = {};
}

bool Demuxer::reads_regular_file() const {
  std::error_code error;
  return !path_.empty() && std::filesystem::is_regular_file(path_, error);
}

Status Demuxer::open_input(const VideoUri& uri) {
  format_ = avformat_alloc_context();
  if (format_ == nullptr) return failed(fmt::format("{}: out of memory", name_));
  format_->interrupt_callback = {&Demuxer::should_stop, this};
  if (!network_ && PipeReader::reads(path_)) {
    SLUICE_ASSIGN(pipe_, PipeReader::open(path_, name_, [this] { return should_stop(this) != 0; }));
    format_->pb = pipe_->context();
  }
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", allowed_protocols(uri), 0);
  const bool rtsp = uri.target.compare(0, 4, "rtsp") == 0;
  if (network_ && rtsp) av_dict_set(&options, "rtsp_transport", "tcp", 0);
  const std::string url = network_ ? uri.target : "file:" + uri.target;
  forget_libav_log();
  const int error =
      avformat_open_input(&format_, url.c_str(), nullptr, &options);  // frees format_ on failure
  av_dict_free(&options);
  if (error < 0) return explain(error, "cannot be opened");
  live_ = network_ && (rtsp || std::string_view(format_->iformat->name) == "mpjpeg");
  if (live_) format_->fps_probe_size = 2;  // a camera is not kept waiting to guess its rate
  forget_libav_log();
  const int found = avformat_find_stream_info(format_, nullptr);
  return found < 0 ? explain(found, "cannot be read") : Status{};
}

Status Demuxer::choose_stream() {
  const int index = av_find_best_stream(format_, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (interrupted()) return cancelled(fmt::format("{}: opening was stopped", name_));
  if (index < 0 || (format_->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
    return failed(fmt::format("{} holds no video ({} with {} stream{})", name_, format_->iformat->long_name,
                              format_->nb_streams, format_->nb_streams == 1 ? "" : "s"));
  }
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    if (static_cast<int>(i) != index) format_->streams[i]->discard = AVDISCARD_ALL;
  }
  stream_ = format_->streams[index];
  return {};
}

Demuxer::Read Demuxer::read(AVPacket& packet) {
  const ForeignCode foreign;
  start_deadline();
  forget_libav_log();
  int error = 0;
  do {
    av_packet_unref(&packet);
    error = av_read_frame(format_, &packet);
  } while (error == 0 && packet.stream_index != stream_->index);
  if (error == 0) {
    broken_in_a_row_ = 0;
    ++packets_;
    return Read::kPacket;
  }
  if (interrupted() || ran_out(error)) {
    failure_ = explain(error, "stopped");
    return Read::kFailed;
  }
  if (error == AVERROR_INVALIDDATA && ++broken_in_a_row_ < kMostBrokenReads) return Read::kBroken;
  if (error == AVERROR_EOF || closed_at_an_unknown_size(error)) {
    const std::string part = part_read();
    if (part.empty()) return Read::kEnd;
    failure_ = failed(fmt::format("{} ends after {}: the file is cut off; copy it again", name_, part));
  } else {
    failure_ = explain(error, "cannot be read on");
  }
  return Read::kFailed;
}

// An interrupted read may still give a packet; then the next one has this error at once.
bool Demuxer::ran_out(int error) const { return deadline_passed() || error == AVERROR_EXIT; }

// An HTTP answer without a length ends when the server closes (RFC 9112, 6.3), which FFmpeg calls an error.
bool Demuxer::closed_at_an_unknown_size(int error) const {
  return network_ && error == AVERROR(EIO) && format_->pb != nullptr && avio_size(format_->pb) < 0;
}

// Only MP4 and its kin say before the data how many pictures there are, and some others how many bytes.
std::string Demuxer::part_read() const {
  const bool indexed = std::string_view(format_->iformat->name).find("mp4") != std::string_view::npos;
  const int pictures = avformat_index_get_entries_count(stream_);
  if (indexed && stream_->nb_frames > 0 && packets_ < pictures)
    return fmt::format("{} of {} pictures", packets_, pictures);
  return path_.empty() || pipe_ ? std::string() : missing_bytes(path_);
}

Status Demuxer::rewind() {
  const std::int64_t start = stream_->start_time != AV_NOPTS_VALUE ? stream_->start_time : 0;
  forget_libav_log();
  // MPEG streams are searched by time among pictures that may need earlier ones: their first byte is the
  // start.
  constexpr int kNoBytes = AVFMT_NOBINSEARCH | AVFMT_NO_BYTE_SEEK;
  const int flags = format_->iformat->flags;
  const bool by_bytes = (flags & AVFMT_TS_DISCONT) != 0 && (flags & kNoBytes) == 0;
  const int error = by_bytes ? av_seek_frame(format_, -1, 0, AVSEEK_FLAG_BYTE)
                             : avformat_seek_file(format_, stream_->index, INT64_MIN, start, start, 0);
  if (error < 0) return explain(error, "cannot be read from its start again");
  packets_ = 0;
  return {};
}

bool Demuxer::has_stamps() const { return !live_ || (format_->iformat->flags & AVFMT_NOTIMESTAMPS) == 0; }

double Demuxer::fps() const {
  if (!has_stamps()) return 0.0;
  const AVRational rate = av_guess_frame_rate(format_, const_cast<AVStream*>(stream_), nullptr);
  return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0.0;
}

std::int64_t Demuxer::frames() const { return stream_->nb_frames > 0 ? stream_->nb_frames : -1; }

Status Demuxer::explain(int error, std::string_view what) const {
  if (interrupted()) return cancelled(fmt::format("{}: stopped", name_));
  if (ran_out(error) && pipe_) {
    return timed_out(
        fmt::format("{} gave nothing within {:.0f} ms: does a program write to it? Start that, or raise "
                    "timeout_ms",
                    name_, to_ms(timeout_)));
  }
  if (ran_out(error)) {
    return timed_out(
        fmt::format("{} did not answer within {:.0f} ms: check the address and the network, or raise "
                    "timeout_ms",
                    name_, to_ms(timeout_)));
  }
  const std::string text = libav_error(error);
  if (error == AVERROR_INVALIDDATA && stream_ == nullptr) {
    return failed(
        fmt::format("{} {}: it is cut off, broken or no video: {}; `ffprobe` tells more", name_, what, text));
  }
  return failed(fmt::format("{} {}: {}", name_, what, text));
}

}  // namespace sluice
