"""Static files named by their content, so that browsers may keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Follows url() in styles and imports in scripts, but not the source maps that vendors name and leave out."""

    patterns = CompressedManifestStaticFilesStorage.patterns[:1]  # styles; scripts come with the next line
    support_js_module_import_aggregation = True
