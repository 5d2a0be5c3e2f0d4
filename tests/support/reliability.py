"""What can go wrong, what happens then, and the test that shows it: the source of a document.

`python -m support.reliability` writes docs/reliability.md anew.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from support.command_line import ROOT

FUZZED = ROOT / "benchmarks" / "results" / "fuzz.json"
DOCUMENT = ROOT / "docs" / "reliability.md"


class Fault(NamedTuple):
    """One row: what is wrong, what happens, and `tests/` file and function that show it."""

    what: str
    happens: str
    test: str


_MEDIA = "realtime/media/test_"
_FILE = "realtime/test_enhance_file.py::"
_CLI = "realtime/command/test_cli.py::"
_LIVE = "realtime/live/test_"
_RECORDS = "realtime/test_damaged_records.py::"
_PHOTOS = "realtime/photos/test_"
_SERVE = "realtime/serve/test_"
_CUDA = "realtime/cuda/test_"
_TRT = "trt_build/test_"
_GAN = "gan/test_"

FAULTS: dict[str, tuple[Fault, ...]] = {
    "Damaged and odd videos": (
        Fault(
            "an MP4 is cut off",
            "what is there is enhanced; said, exit 3",
            f"{_MEDIA}damaged_files.py::the_beginning_of_a_cut_mp4_is_read",
        ),
        Fault(
            "a Matroska file is cut off",
            "what is there is enhanced; said, exit 3",
            f"{_MEDIA}damaged_files.py::the_beginning_of_a_cut_mkv_is_read",
        ),
        Fault(
            "an index is cut off",
            "said as a missing end",
            f"{_MEDIA}damaged_files.py::an_index_that_is_cut_is_missing_too",
        ),
        Fault(
            "the tables of an MP4 do not agree",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::an_index_whose_tables_cannot_be_true_is_said",
        ),
        Fault(
            "H.264 turns from full range to limited",
            "it is converted; said",
            f"{_MEDIA}file_source.py::h264_that_turns_from_full_range_to_limited_stays_full",
        ),
        Fault(
            "Dolby Vision has no base layer for others",
            "one line, exit 1",
            f"{_MEDIA}file_source.py::dolby_vision_without_a_base_layer_is_refused",
        ),
        Fault(
            "a picture's time in an MP4 cannot be true",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::a_picture_shown_far_from_its_decoding_is_told",
        ),
        Fault(
            "a file changes while it is read",
            "said, exit 3",
            f"{_MEDIA}file_source.py::a_file_that_changes_while_it_is_read_is_said",
        ),
        Fault(
            "the shape of a pixel changes in mid-stream (a broadcast from 4:3 to 16:9)",
            "said; all is shown with that of the first picture",
            f"{_MEDIA}fields.py::a_pixel_shape_that_changes_in_mid_stream_is_told",
        ),
        Fault(
            "the rotation changes in mid-stream",
            "said; all is turned as the first picture is",
            f"{_MEDIA}fields.py::a_rotation_that_changes_in_mid_stream_is_told",
        ),
        Fault(
            "a format cannot be sought in, as SWF",
            "sound is kept with `--start`",
            f"{_MEDIA}stream_copy.py::sound_is_kept_where_the_format_cannot_be_sought_in",
        ),
        Fault(
            "a live source is interlaced",
            "its fields are joined without a comb; said",
            f"{_MEDIA}fields.py::a_live_source_joins_fields_and_says_so",
        ),
        Fault(
            "packets in the middle are damaged",
            "they are counted, the rest is kept, exit 3",
            f"{_FILE}damaged_packets_are_counted_and_the_rest_is_kept",
        ),
        Fault(
            "a frame is damaged in part",
            "it is kept and counted",
            f"{_FILE}a_frame_damaged_in_part_is_kept_and_counted",
        ),
        Fault(
            "the last picture is damaged, and a decoder with threads meets it late",
            "no other is lost; exit 3",
            f"{_MEDIA}damaged_files.py::a_damaged_last_picture_takes_no_other_with_it",
        ),
        Fault(
            "a picture lost its time, in a format that gives each one",
            "it lies between its neighbours; said, exit 3",
            f"{_MEDIA}damaged_files.py::a_picture_that_lost_its_time_is_not_called_good",
        ),
        Fault(
            "a video is encrypted",
            "one line, exit 1",
            f"{_MEDIA}file_source.py::an_encrypted_video_is_refused",
        ),
        Fault(
            "sound is encrypted",
            "named in a note, dropped",
            f"{_MEDIA}stream_copy.py::encrypted_sound_is_not_copied_as_noise",
        ),
        Fault(
            "an MP4's edit list cuts a part out of the middle",
            "its sound is not heard either, and that is no damage",
            f"{_MEDIA}copied_damage.py"
            "::sound_that_an_edit_list_cuts_out_of_the_middle_is_not_heard",
        ),
        Fault(
            "packets of sound do not say how long they last, as in NUT",
            "the last one is kept in MP4, too",
            f"{_MEDIA}stream_copy.py::the_last_sound_is_kept_where_packets_say_no_length",
        ),
        Fault(
            "times of an MP4's fragments are off by a packet, as FFmpeg's muxer has them",
            "sound is put where it belongs; that is no damage",
            f"{_MEDIA}copied_damage.py::a_fragment_s_time_that_is_off_by_a_packet_is_no_damage",
        ),
        Fault(
            "a picture of MPEG-2 is damaged so that its decoder passes over it in silence",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::a_picture_that_its_decoder_passes_over_in_silence_is_damaged",
        ),
        Fault(
            "packets of a video have nothing in them, as where a picture stays (Theora)",
            "it stays; that is no damage",
            f"{_MEDIA}file_source.py::packets_with_nothing_in_them_are_pictures_that_stay",
        ),
        Fault(
            "the codec of an FLV changes from tag to tag",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::flv_whose_codec_changes_is_not_called_good",
        ),
        Fault(
            "a picture has the time of another, in an MP4",
            "it lies between its neighbours; said, exit 3",
            f"{_MEDIA}damaged_files.py::a_picture_that_has_the_time_of_another_in_an_mp4_is_damaged",
        ),
        Fault(
            "a picture has the time of another, in an FLV",
            "it lies between its neighbours; said, exit 3",
            f"{_MEDIA}damaged_files.py::a_picture_that_has_the_time_of_another_in_an_flv_is_damaged",
        ),
        Fault(
            "pages of an Ogg are damaged, missing or there twice, which FFmpeg does not tell",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::pages_of_an_ogg_that_are_not_whole_are_said",
        ),
        Fault(
            "the last sound of an Ogg is cut off whole, and has no time",
            "that is no damage",
            f"{_MEDIA}copied_damage.py::an_ogg_that_cuts_its_last_sound_is_no_damage",
        ),
        Fault(
            "boxes of an MP4 lie in others than they belong in",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::boxes_that_have_changed_places_are_said",
        ),
        Fault(
            "a box of an MP4 is larger than what holds it",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::a_box_that_is_larger_than_what_holds_it_is_said",
        ),
        Fault(
            "a file is damaged in many ways",
            "the first seven are said, and how many more",
            "realtime/command/test_notes.py::"
            "a_file_that_is_damaged_in_many_ways_is_said_in_twelve_lines",
        ),
        Fault(
            "a picture has an impossible time",
            "it lies between its neighbours; said, exit 3",
            f"{_MEDIA}damaged_files.py::a_picture_whose_time_was_damaged_is_not_called_good",
        ),
        Fault(
            "elements of a Matroska file do not follow each other",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py"
            "::matroska_whose_parts_do_not_follow_each_other_is_not_called_good",
        ),
        Fault(
            "a packet of copied sound is cut, and its decoder makes up the rest",
            "said, with the time; exit 3",
            f"{_MEDIA}copied_damage.py::a_packet_of_sound_that_is_cut_is_said",
        ),
        Fault(
            "copied TrueHD or MLP is damaged, which its decoder does not tell",
            "said, with the time; exit 3",
            f"{_MEDIA}copied_damage.py::damaged_lossless_sound_is_said",
        ),
        Fault(
            "packets of copied TrueHD or MLP are missing",
            "said, with the time; exit 3; behind the last numbered one, at most 128 packets"
            " (0.1 s) before the end, nothing tells it",
            f"{_MEDIA}copied_damage.py::lost_lossless_sound_is_said",
        ),
        Fault(
            "subtitles of pictures (PGS, DVB) began before `--start`, and are still shown",
            "they begin with the output",
            f"{_MEDIA}copied_subtitles.py::pictures_that_are_shown_at_the_start_begin_there",
        ),
        Fault(
            "copied sound does not decode",
            "said, with the time; exit 3 (PCM takes any bytes, Opus and Vorbis nearly any)",
            f"{_MEDIA}copied_damage.py::sound_that_does_not_decode_is_said_and_ends_no_job",
        ),
        Fault(
            "a track's marks (forced, commentary) cannot be stored",
            "said",
            f"{_MEDIA}stream_copy.py::what_a_stream_is_marked_as_is_kept_or_its_loss_said",
        ),
        Fault(
            "the enhanced video's marks (original, forced) cannot be stored",
            "said",
            f"{_MEDIA}stream_copy.py::what_the_video_is_marked_as_is_kept_or_its_loss_said",
        ),
        Fault(
            "a chapter has no length",
            "it is kept, as a mark",
            f"{_MEDIA}stream_copy.py::a_chapter_without_a_length_is_kept",
        ),
        Fault(
            "chapters of a Matroska file begin at one time, or lie in each other",
            "FFmpeg reads one of them; said",
            f"{_MEDIA}stream_copy.py::chapters_that_are_not_read_are_said",
        ),
        Fault(
            "chapters have gaps between them, and MP4 knows only where they begin",
            "said",
            f"{_MEDIA}stream_copy.py::gaps_between_chapters_are_kept_or_said",
        ),
        Fault(
            "MP4 has no place for a single stream's metadata (a reel's name, comments)",
            "said, once for all streams",
            f"{_MEDIA}stream_copy.py::metadata_of_a_stream_that_mp4_cannot_hold_is_named_once",
        ),
        Fault(
            "the lengths in an FLV do not agree",
            "said, exit 3",
            f"{_MEDIA}damaged_files.py::flv_whose_lengths_do_not_agree_is_not_called_good",
        ),
        Fault(
            "a stream begins later than FFmpeg looks for streams",
            "said",
            f"{_MEDIA}damaged_files.py::a_stream_that_appears_on_the_way_is_told",
        ),
        Fault(
            "frames share one time",
            "all are kept, each at a time of its own",
            f"{_MEDIA}damaged_files.py::frames_that_share_a_time_are_all_kept",
        ),
        Fault(
            "the size changes in mid-stream",
            "later frames are scaled; said",
            f"{_MEDIA}damaged_files.py::a_change_of_size_is_scaled_with_a_notice",
        ),
        Fault(
            "the clock jumps back",
            "times go on from where they were",
            f"{_MEDIA}damaged_files.py::a_clock_that_jumps_back_goes_on",
        ),
        Fault(
            "the input is no video, or empty",
            "one line, exit 1",
            f"{_MEDIA}damaged_files.py::bad_inputs_give_one_clear_line",
        ),
        Fault(
            "a file has sound alone",
            "one line, exit 1",
            f"{_MEDIA}damaged_files.py::a_file_without_video_is_an_error",
        ),
        Fault(
            "the only pictures are cover art",
            "it is no video: one line",
            f"{_MEDIA}file_source.py::cover_art_is_no_video",
        ),
        Fault(
            "a picture stands still for minutes",
            "no time moves",
            f"{_MEDIA}file_sink.py::a_picture_that_stands_still_for_minutes_moves_no_time",
        ),
        Fault(
            "a file name looks like an address or a pattern",
            "it is a file",
            f"{_MEDIA}file_source.py::names_are_not_taken_for_addresses_or_patterns",
        ),
        Fault(
            "the encoder has less depth",
            "said",
            f"{_MEDIA}file_sink.py::a_depth_that_the_encoder_lacks_is_told",
        ),
        Fault(
            "pixels are not square and the container cannot say so",
            "said",
            f"{_MEDIA}file_sink.py::a_sample_aspect_ratio_that_is_lost_is_told",
        ),
        Fault(
            "sound that the container cannot hold",
            "it becomes Opus",
            f"{_MEDIA}stream_copy.py::audio_that_webm_cannot_hold_becomes_opus",
        ),
        Fault(
            "cover art that cannot be stored",
            "named in a note",
            f"{_MEDIA}stream_copy.py::cover_art_that_cannot_be_stored_is_named",
        ),
        Fault(
            "fonts that cannot be stored",
            "named in a note",
            f"{_MEDIA}stream_copy.py::fonts_are_kept_in_matroska_and_named_elsewhere",
        ),
        Fault(
            "subtitles that cannot be stored",
            "named in a note",
            f"{_MEDIA}copied_subtitles.py::picture_subtitles_that_cannot_be_stored_are_named",
        ),
        Fault(
            "`--start` lies after the end",
            "one line",
            f"{_MEDIA}file_source.py::a_start_after_the_end_is_an_error",
        ),
    ),
    "Clocks": (
        Fault(
            "a broadcast's clock begins at hours",
            "the output begins at 0",
            f"{_MEDIA}input_clock.py::a_broadcast_begins_at_0",
        ),
        Fault(
            "a clock wraps",
            "no frame is lost",
            f"{_MEDIA}input_clock.py::a_clock_that_wraps_loses_no_frame",
        ),
        Fault(
            "recordings were joined",
            "sound stays with the picture",
            f"{_MEDIA}input_clock.py::joined_recordings_keep_lip_sync",
        ),
        Fault(
            "one time is damaged",
            "nothing else moves",
            f"{_MEDIA}input_clock.py::one_damaged_time_moves_nothing_else",
        ),
        Fault(
            "an AVI with B-frames was copied into Matroska as it was (V_MS/VFW/FOURCC)",
            "its pictures are shown with their sound, as those of the AVI",
            f"{_MEDIA}presentation_times.py::an_avi_in_matroska_is_shown_with_its_sound",
        ),
        Fault(
            "the first picture of an MPEG-PS has no time, and the file begins with the second's",
            "it is shown before that; all else moves with it",
            f"{_MEDIA}presentation_times.py::a_first_picture_without_a_time_begins_the_output",
        ),
        Fault(
            "pictures of an MP4 have times of decoding alone, as of raw H.264 copied into it",
            "said, exit 3; they are shown evenly, not back and forth",
            f"{_MEDIA}presentation_times.py"
            "::times_of_decoding_alone_are_not_taken_for_those_of_showing",
        ),
        Fault(
            "a packet is decoded a day before it is shown",
            "that is no join; nothing moves",
            f"{_MEDIA}input_clock.py::a_packet_that_contradicts_itself_is_no_join",
        ),
        Fault(
            "`--start` lies between two pictures of an AVI",
            "sound and picture move alike",
            f"{_MEDIA}input_clock.py::a_start_between_two_pictures_of_an_avi_moves_sound_and_picture_alike",
        ),
        Fault(
            "pictures or sound are missing in the middle of a broadcast",
            "the gap is kept, and nothing moves",
            f"{_MEDIA}gaps_of_broadcasts.py::a_gap_of_pictures_or_sound_is_kept",
        ),
        Fault(
            "packets of a broadcast were lost",
            "the gap is kept; said, exit 3",
            f"{_MEDIA}gaps_of_broadcasts.py::lost_packets_of_a_broadcast_are_damage",
        ),
        Fault(
            "a picture stands still for long at `--start`, or at the end of `--duration`",
            "it is shown from there, and up to there",
            f"{_MEDIA}file_source.py::a_picture_that_stands_still_at_the_start_is_shown",
        ),
        Fault(
            "a recording was joined whose clock is far ahead",
            "what lies between is kept, and said; nothing was lost",
            f"{_MEDIA}gaps_of_broadcasts.py::a_join_with_a_later_recording_is_no_loss",
        ),
        Fault(
            "a unit of time has nine digits, or lasts for seconds",
            "every picture is where it was, to a microsecond (a millisecond in Matroska)",
            f"{_MEDIA}odd_clocks.py::any_unit_of_time_gives_the_right_times",
        ),
        Fault(
            "a picture stands still for longer than MP4 can say",
            "one line that names what can",
            f"{_MEDIA}odd_clocks.py::a_gap_that_mp4_cannot_say_is_an_error",
        ),
        Fault(
            "pictures are less than a millisecond apart, and Matroska counts in those",
            "said; MP4 keeps their times and all of them",
            f"{_MEDIA}odd_clocks.py::pictures_closer_than_a_millisecond_are_told",
        ),
        Fault(
            "sound begins late",
            "it stays late",
            f"{_MEDIA}stream_copy.py::audio_that_starts_late_stays_late",
        ),
        Fault(
            "sound begins before the video",
            "the video does not move",
            f"{_MEDIA}stream_copy.py::the_video_does_not_move_for_audio_that_begins_before_it",
        ),
        Fault(
            "the machine slept during a live run",
            "it goes on",
            f"{_LIVE}clock.py::a_pattern_goes_on_after_the_process_slept",
        ),
        Fault(
            "the wall clock jumps by a day",
            "nothing changes",
            f"{_LIVE}clock.py::a_wall_clock_that_jumps_by_a_day_changes_nothing",
        ),
        Fault(
            "a stream's times jump and restart",
            "it goes on",
            f"{_LIVE}clock.py::a_stream_whose_times_jump_and_restart_goes_on",
        ),
        Fault(
            "frames of a recording do not rise in time",
            "all are recorded",
            f"{_LIVE}sinks.py::frames_whose_times_do_not_rise_are_recorded_all_the_same",
        ),
    ),
    "Photos": (
        Fault(
            "a photo is cut off",
            "the rows that are there are kept; exit 3",
            f"{_PHOTOS}damaged_photos.py::a_cut_photo_keeps_the_rows_that_are_there",
        ),
        Fault(
            "a photo is damaged",
            "what can be read is enhanced; exit 3",
            f"{_PHOTOS}damaged_photos.py::a_damaged_photo_ends_with_exit_status_3",
        ),
        Fault(
            "an animation is cut off",
            "the pictures that are there are kept",
            f"{_PHOTOS}damaged_photos.py::a_cut_animation_keeps_the_pictures_that_are_there",
        ),
        Fault(
            "a WebP or AVIF is cut off",
            "the rows that do not depend on what is missing are kept; exit 3",
            f"{_PHOTOS}damaged_photos.py::a_cut_avif_keeps_the_rows_that_are_there",
        ),
        Fault(
            "a TIFF of several pages is cut off",
            "the pages that are there are kept; exit 3",
            f"{_PHOTOS}damaged_photos.py::pages_that_are_there_are_kept",
        ),
        Fault(
            "a HEIC is cut off behind its main picture",
            "said, exit 3",
            f"{_PHOTOS}damaged_photos.py::a_heic_that_is_cut_behind_its_main_picture_is_not_whole",
        ),
        Fault(
            "a JPEG of several pictures (MPO, gain maps) is cut behind its main one",
            "said, exit 3",
            f"{_PHOTOS}damaged_photos.py::a_jpeg_that_is_cut_behind_its_main_picture_is_not_whole",
        ),
        Fault(
            "a picture of an animation breaks its reader",
            "those before it are kept; exit 3",
            f"{_PHOTOS}damaged_photos.py"
            "::a_picture_of_an_animation_that_breaks_its_reader_costs_no_other",
        ),
        Fault(
            "the tables of an AVIF do not agree",
            "said, exit 3",
            f"{_PHOTOS}damaged_photos.py::an_avif_whose_tables_do_not_agree_is_damaged",
        ),
        Fault(
            "a part of a HEIC has a name that is no text",
            "it is read; said, exit 3",
            f"{_PHOTOS}damaged_photos.py::a_heic_whose_parts_have_damaged_names_takes_nothing_down",
        ),
        Fault(
            "a TIFF is damaged, and the library that unpacks it has hundreds of lines to say",
            "one line",
            f"{_PHOTOS}damaged_photos.py::a_damaged_tiff_is_said_by_nobody_else",
        ),
        Fault(
            "a photo holds a gain map, a short video or depth",
            "left out, with what XMP says of it; said",
            f"{_PHOTOS}photos_in_and_out.py::what_lies_behind_the_picture_is_left_out_and_said",
        ),
        Fault(
            "the output's name is none that photos are written as",
            "one line with those that are",
            f"{_PHOTOS}enhance_photo.py::the_names_that_photos_are_written_as_are_said",
        ),
        Fault(
            "a photo is none",
            "one line, exit 1",
            f"{_PHOTOS}damaged_photos.py::bad_photos_give_one_clear_line",
        ),
        Fault(
            "the output format cannot keep something",
            "said",
            f"{_PHOTOS}photos_in_and_out.py::what_a_format_cannot_keep_is_said",
        ),
        Fault(
            "a photo is a camera's raw file, or JPEG XL",
            "one line; its small preview is not taken for it",
            f"{_PHOTOS}formats.py::photos_that_are_not_read_are_named",
        ),
        Fault(
            "pages of a TIFF are written as what holds one",
            "said",
            f"{_PHOTOS}photos_in_and_out.py::pages_that_are_left_out_are_said",
        ),
        Fault(
            "a photo's colours stand in numbers (nclx, cICP), which its output does not know",
            "they go with it as a profile",
            f"{_PHOTOS}photos_in_and_out.py::colors_that_numbers_describe_stay_what_they_are",
        ),
        Fault(
            "a photo is HDR (PQ, HLG)",
            "said; it is enhanced as SDR is",
            f"{_PHOTOS}photos_in_and_out.py::a_photo_of_hdr_light_is_told",
        ),
        Fault(
            "the camera was turned",
            "the photo is upright",
            f"{_PHOTOS}photos_in_and_out.py::orientation_is_applied_and_reset",
        ),
        Fault(
            "an option is for videos alone",
            "one line",
            f"{_PHOTOS}enhance_photo.py::a_photo_takes_no_options_of_videos",
        ),
    ),
    "Outputs and disks": (
        Fault(
            "the disk is full",
            "one line, and nothing lies under the name",
            f"{_CLI}a_full_disk_is_one_line_and_leaves_nothing",
        ),
        Fault(
            "the disk is full while a photo is written",
            "one line",
            "realtime/photos/test_images.py::a_full_disk_is_one_clear_line",
        ),
        Fault(
            "the output is there",
            "kept, unless `--overwrite`",
            f"{_FILE}an_existing_output_is_kept_unless_told_otherwise",
        ),
        Fault("the output is the input", "refused", f"{_FILE}the_input_is_never_overwritten"),
        Fault(
            "the folder is missing",
            "one line before any work",
            f"{_FILE}an_output_folder_must_exist",
        ),
        Fault(
            "the folder is read-only",
            "one line before any work",
            f"{_FILE}a_read_only_folder_is_refused",
        ),
        Fault(
            "the output is a link",
            "written through it, its mode kept",
            f"{_MEDIA}safe_output.py::overwriting_goes_through_links_and_keeps_the_mode",
        ),
        Fault(
            "the output is a pipe or a device",
            "never replaced",
            f"{_MEDIA}safe_output.py::pipes_and_devices_are_never_replaced",
        ),
        Fault(
            "a photo loses its name to another job",
            "one line, and nothing of it is left",
            f"{_MEDIA}safe_output.py::what_loses_a_name_to_another_leaves_nothing",
        ),
        Fault(
            "the output is an address",
            "one line",
            f"{_FILE}an_address_is_no_output",
        ),
        Fault(
            "two jobs have one new name",
            "one wins, the other fails",
            f"{_MEDIA}safe_output.py::of_two_jobs_to_one_new_name_one_wins",
        ),
        Fault(
            "a job was killed outright",
            "the next one in that folder removes what it left, if its number is in use again too",
            f"{_GAN}whole_file.py::what_a_killed_process_left_is_removed_by_the_next",
        ),
        Fault(
            "a job was killed that had a folder for a while",
            "the next one that needs one removes it",
            f"{_GAN}whole_file.py::the_folder_of_a_killed_process_goes_when_another_makes_one",
        ),
        Fault(
            "several threads write one file",
            "they do not mix",
            f"{_GAN}whole_file.py::threads_that_write_one_file_do_not_mix",
        ),
        Fault(
            "the input is a pipe",
            "refused at once",
            f"{_FILE}a_pipe_is_refused_before_anybody_waits_for_it",
        ),
        Fault("stdout takes nothing", "one line", f"{_CLI}a_stdout_that_takes_nothing_is_one_line"),
    ),
    "Models and engines": (
        Fault(
            "a model file is damaged",
            "one line with its name",
            "realtime/cpu/test_openvino_engine.py::a_damaged_file_is_named_in_one_line",
        ),
        Fault(
            "a network has other shapes",
            "one line with both",
            "realtime/cpu/test_openvino_engine.py::a_network_of_other_shapes_is_told_with_both",
        ),
        Fault(
            "a model breaks on the way",
            "one line, nothing written",
            f"{_FILE}a_broken_model_leaves_nothing",
        ),
        Fault(
            "a model does not exist",
            "one line with the names that do",
            "realtime/test_enhancer.py::a_model_that_does_not_exist_is_refused",
        ),
        Fault(
            "a network gives no numbers",
            "an error, not a picture",
            "realtime/cpu/test_unet_enhancer.py::results_that_are_not_numbers_are_an_error",
        ),
        Fault(
            "a file says what its network is not",
            "an error",
            f"{_GAN}model.py::a_mark_that_the_shapes_deny_is_an_error",
        ),
        Fault(
            "an engine is cut or stale",
            "it is built anew, the reason said",
            f"{_TRT}stale_engines.py::a_broken_or_stale_engine_is_built_anew_and_the_reason_said",
        ),
        Fault(
            "a manifest is none",
            "the engine is not trusted",
            f"{_TRT}engine_cache.py::what_is_no_manifest_is_a_value_error",
        ),
        Fault(
            "a model file has changed bits",
            "it works, or is refused in one line",
            f"{_RECORDS}a_model_works_or_is_refused_in_one_line",
        ),
        Fault(
            "a manifest's numbers make no sense",
            "the engine is not trusted",
            f"{_RECORDS}an_engine_s_manifest_is_one_or_a_value_error",
        ),
        Fault(
            "the record of an unfinished film is damaged",
            "it is listed all the same; what is not whole is made anew",
            f"{_RECORDS}unfinished_jobs_are_listed_whatever_their_folders_hold",
        ),
        Fault(
            "the record of what is done is damaged",
            "the damaged lines count for nothing",
            f"{_RECORDS}a_record_of_done_files_that_is_damaged_counts_for_nothing",
        ),
        Fault(
            "a benchmark's result was edited or cut",
            "one line with what is wrong in it",
            "benchmarks/test_bench_compare.py::files_that_are_not_whole_are_named",
        ),
        Fault(
            "an engine computes something else",
            "refused",
            f"{_TRT}verification.py::an_engine_that_computes_something_else_at_any_size_is_refused",
        ),
        Fault(
            "two processes build one engine",
            "it is built once",
            f"{_TRT}build_command.py::two_processes_build_once",
        ),
        Fault(
            "the cache folder cannot be made",
            "one line",
            f"{_TRT}engine_cache.py::a_cache_that_cannot_be_made_is_one_line",
        ),
    ),
    "Devices": (
        Fault(
            "there is no NVIDIA driver",
            "one line, exit 1, where one was asked for",
            f"{_CUDA}video.py::a_missing_driver_is_one_line_and_status_1",
        ),
        Fault(
            "CuPy is missing",
            "one line with the command that installs it",
            f"{_CUDA}device.py::a_missing_cupy_is_one_line",
        ),
        Fault("the GPU is full", "one line", f"{_CUDA}device.py::a_gpu_that_is_full_is_one_line"),
        Fault(
            "another process has the GPU to itself",
            "one line",
            f"{_CUDA}device.py::a_gpu_that_another_process_has_is_one_line",
        ),
        Fault(
            "the driver is too old",
            "one line",
            f"{_CUDA}tensorrt_engine.py::a_driver_that_is_too_old_is_one_line",
        ),
        Fault(
            "there is no camera",
            "one line",
            f"{_LIVE}cameras.py::a_camera_without_a_device_behind_it_is_one_clear_line",
        ),
        Fault(
            "a camera does not open",
            "why, in plain words",
            f"{_LIVE}cameras.py::why_a_camera_does_not_open_is_said_in_plain_words",
        ),
        Fault(
            "there is no display",
            "what to do instead",
            f"{_LIVE}sinks.py::a_window_without_a_display_says_what_to_do",
        ),
        Fault(
            "numba's code on disk is another version's",
            "made anew",
            "realtime/cpu/test_grid_kernels.py::code_on_disk_of_another_version_is_made_anew",
        ),
    ),
    "Live video and the network": (
        Fault(
            "a stream breaks off",
            "it is opened again",
            f"{_LIVE}network.py::a_stream_that_breaks_off_is_opened_again",
        ),
        Fault(
            "a server never answers",
            "stopping works all the same",
            f"{_LIVE}network.py::a_server_that_never_answers_does_not_keep_from_stopping",
        ),
        Fault(
            "a source falls silent",
            "its last picture is held",
            f"{_LIVE}run.py::a_source_that_falls_silent_has_its_last_picture_held",
        ),
        Fault(
            "a sink stalls",
            "neither the source nor other sinks wait",
            f"{_LIVE}sink_failures.py::a_stalled_sink_stalls_neither_the_source_nor_the_other_sinks",
        ),
        Fault(
            "a sink fails",
            "it is closed, the others go on",
            f"{_LIVE}sink_failures.py::a_sink_that_fails_is_closed_and_the_others_go_on",
        ),
        Fault(
            "a model hangs",
            "a cheaper mode takes over",
            f"{_LIVE}ladder.py::a_model_that_hangs_is_left_for_a_cheaper_one_and_comes_back",
        ),
        Fault(
            "a model is too slow",
            "it is left before frames are late",
            f"{_LIVE}governor.py::it_steps_down_before_the_budget_is_passed",
        ),
        Fault(
            "an address cannot be reached",
            "one line",
            f"{_LIVE}command.py::an_address_that_cannot_be_reached_is_one_line",
        ),
        Fault(
            "a reader of a pipe goes away",
            "it ends with one line",
            f"{_LIVE}pipe.py::a_reader_that_goes_away_ends_it_with_one_line",
        ),
        Fault(
            "a recording is broken off",
            "it can be played up to there",
            f"{_LIVE}sinks.py::a_recording_can_be_played_at_any_moment",
        ),
        Fault(
            "a port is in use", "one line", f"{_SERVE}command.py::a_port_that_is_in_use_is_one_line"
        ),
        Fault(
            "y4m on stdin is damaged or cut",
            "a line",
            f"{_RECORDS}a_damaged_y4m_on_stdin_ends_in_a_line",
        ),
        Fault(
            "what comes through HTTP is none",
            "refused; the server goes on",
            f"{_RECORDS}nonsense_through_http_ends_nothing",
        ),
        Fault(
            "another site's page sends a file",
            "refused",
            f"{_SERVE}access.py::an_upload_of_another_site_s_page_is_refused",
        ),
        Fault(
            "a page sends nonsense",
            "answered, the session goes on",
            f"{_SERVE}access.py::nonsense_is_answered_and_the_session_goes_on",
        ),
        Fault(
            "an upload is no video or photo",
            "refused and removed",
            f"{_SERVE}files.py::what_is_no_video_or_photo_is_refused_and_removed",
        ),
        Fault(
            "an upload is over the limit",
            "refused",
            f"{_SERVE}files.py::a_file_over_the_limit_is_refused_whether_it_says_so_or_not",
        ),
    ),
    "Signals and memory": (
        Fault(
            "an option has 5000 digits, or an exponent of a milliard",
            "refused at once in one line",
            "realtime/test_any_input.py::an_option_is_understood_or_refused",
        ),
        Fault("Ctrl-C in a file job", "nothing is left", f"{_CLI}stopping_leaves_nothing"),
        Fault(
            "Ctrl-C while the command loads",
            "one line, exit 130",
            f"{_CLI}a_stop_while_the_command_still_loads_is_one_line",
        ),
        Fault(
            "the terminal is closed",
            "nothing is left",
            f"{_CLI}a_terminal_that_closes_leaves_nothing",
        ),
        Fault(
            "a hang-up under nohup", "the job goes on", f"{_CLI}a_hangup_under_nohup_stops_nothing"
        ),
        Fault(
            "Ctrl-C in training",
            "a checkpoint is kept, exit 130",
            f"{_GAN}train_command.py::a_signal_to_the_whole_group_stops_the_run_and_not_its_workers",
        ),
        Fault(
            "a disk is full in training",
            "the last checkpoint stays",
            f"{_GAN}trainer.py::a_full_disk_keeps_the_checkpoint",
        ),
        Fault(
            "memory does not suffice for training",
            "what was tried is said",
            f"{_GAN}trainer.py::a_full_memory_says_what_was_tried",
        ),
        Fault(
            "a loss is no number",
            "the run stops, the checkpoint stays",
            f"{_GAN}trainer.py::a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint",
        ),
        Fault(
            "a bug ends the picture of the server's camera",
            "a line on the page and on the terminal; who watches again begins anew",
            "realtime/serve/test_shared_video.py"
            "::a_bug_in_the_camera_s_player_is_told_to_all_and_the_next_who_watches_tries_again",
        ),
        Fault(
            "a server is killed outright",
            "the next start removes what it was sent",
            f"{_SERVE}command.py::what_a_killed_server_leaves_goes_when_the_next_one_starts",
        ),
        Fault(
            "the page's server is stopped in mid-work",
            "nothing is left",
            f"{_SERVE}command.py::stopping_in_the_middle_of_work_leaves_nothing",
        ),
    ),
}

_HEAD = """# When something is wrong

Nothing is lost in silence: what cannot be done is one line that says what, which and what to do.
The exit status is 0 for success, 1 for failure, 2 for wrong usage and 3 for an output that is whole
although the input was damaged. Below is what happens in {count} cases, each shown by the test that
is named beside it, in `tests/`.

Damaged inputs are also made by the thousand: `scripts/fuzz 10000` changes bits, headers, lengths,
times and the order of parts of every container and photo format that is read, of models and of
results, and holds each run to this: it ends within 20 s of CPU time and 1.5 GB, with one of these
statuses and at most twelve lines, no traceback, nothing under the output's name unless the status
is 0 or 3, and in an output that is called good the pictures and times that ffprobe finds in the
input, where ffprobe can read it. The tests run 300 of them, always the same. {fuzzed}
"""


_MENDED = """\
What they found was mended after each, but where ffprobe itself was wrong."""


def fuzzed() -> str:
    """The figures of the runs whose results are kept, each added by `scripts/fuzz --json`."""
    runs = json.loads(FUZZED.read_text())["runs"]
    found = [number for number, run in enumerate(runs) if run["findings"]]
    since = runs[found[-1] + 1 :]
    last = f" The runs since the last finding: {_figures(since)}" if since else ""
    return f"The\nruns on record: {_figures(runs)}\n{_MENDED}{last}"


def _figures(runs: list[dict[str, Any]]) -> str:
    """Inputs, exit statuses, and what did not hold, in words."""
    statuses = Counter[str]()
    found = Counter[str]()
    for run in runs:
        statuses.update(run["statuses"])
        found.update(_kind(case["what"]) for case in run["findings"])
    silent = statuses.pop("None", 0)
    ended = ", ".join(f"{status} {count} times" for status, count in sorted(statuses.items()))
    ended += f", no answer {silent} times" * bool(silent)
    failed = ", ".join(f"{found[kind]} {kind}" for kind in ("crashes", "hangs", "wrong outputs"))
    return f"{sum(run['inputs'] for run in runs)} inputs, exit status {ended}; {failed}."


def _kind(what: str) -> str:
    """Which kind of fault a finding is."""
    if what.startswith("a traceback"):
        return "crashes"
    return "hangs" if what.startswith("no answer") or "CPU time" in what else "wrong outputs"


def page() -> str:
    """The document."""
    parts = [_HEAD.format(count=sum(map(len, FAULTS.values())), fuzzed=fuzzed())]
    for area, rows in FAULTS.items():
        lines = [
            f"| {row.what} | {row.happens} | `{row.test.split('/test_')[-1]}` |" for row in rows
        ]
        parts.append(
            "\n".join(
                [f"## {area}\n", "| what | what happens | test |", "| --- | --- | --- |", *lines]
            )
        )
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(page())
